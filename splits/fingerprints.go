package splits

import (
	"hash/maphash"
	"time"
)

// fingerprints identify entries of a split that were read, in order. They find where a stream that
// was rolled back diverges from the one that was read: nothing is ever inserted before an entry, so
// if the stream still has the entry of a fingerprint, it has everything that was read before it.
// After a failover that lost a few writes, reading thus continues where the histories diverge, and
// not at the beginning. Offsets would not be sufficient: a server whose clock is behind can give
// the same offsets to other entries.
type fingerprints []fingerprint

type fingerprint struct {
	at     Position
	sum    uint64 // hash of the fields
	madeAt time.Time
}

const (
	// maxFingerprints and fingerprintEvery make the fingerprints reach back several seconds, or
	// further if few entries come.
	maxFingerprints  = 64
	fingerprintEvery = 100 * time.Millisecond
)

var fingerprintSeed = maphash.MakeSeed()

func sumOf(e Entry) uint64 {
	var h maphash.Hash
	h.SetSeed(fingerprintSeed)
	for _, f := range e.Fields {
		_, _ = h.WriteString(f) // can't fail
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// add adds the fingerprint of the last entry that was read. It replaces the newest fingerprint if
// that one is too close to the one before it.
func (m *fingerprints) add(at Position, sum uint64, now time.Time) {
	next := fingerprint{at: at, sum: sum, madeAt: now}
	all := *m
	switch n := len(all); {
	case n >= 2 && max(now.Sub(all[n-1].madeAt), all[n-1].madeAt.Sub(all[n-2].madeAt)) < fingerprintEvery:
		all = all[:n-1]
	case n == maxFingerprints:
		all = all[:copy(all, all[1:])]
	}
	all = append(all, next)
	*m = all
}

// matches reports whether this is the fingerprint of an entry.
func (m fingerprint) matches(e Entry) bool { return m.at.Offset == e.Offset && m.sum == sumOf(e) }

// within returns the fingerprints from one offset to another, both included.
func (m fingerprints) within(from, to Offset) fingerprints {
	for len(m) > 0 && m[0].at.Offset.Before(from) {
		m = m[1:]
	}
	for len(m) > 0 && to.Before(m[len(m)-1].at.Offset) {
		m = m[:len(m)-1]
	}
	return m
}

// shift adds lost entries to all counts behind an offset.
func (m fingerprints) shift(offset Offset, lost int64) {
	for i := range m {
		if m[i].at.EntriesRead >= 0 && offset.Before(m[i].at.Offset) {
			m[i].at.EntriesRead += lost
		}
	}
}
