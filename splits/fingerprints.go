package splits

import (
	"hash/maphash"
	"time"
)

// marks are entries of a split that were read, in order, by which a stream that went back can be
// recognised: what came before a mark that is still there is what was read, since nothing is ever
// put in between. After a failover that lost a few writes, reading so goes on where the histories
// part, and not at the beginning. Offsets alone would not do, for the server that took over may
// have given the same ones to other entries, if its clock is behind.
type fingerprints []fingerprint

type fingerprint struct {
	at     Position
	sum    uint64 // of the fields
	madeAt time.Time
}

const (
	// mostMarks and markEvery make marks reach back several seconds, or further where little is
	// written.
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

// add notes the entry that was read last, by its place and its sum. The newest mark always is that
// one; those before it are markEvery apart.
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

// is reports whether the mark is this entry.
func (m fingerprint) matches(e Entry) bool { return m.at.Offset == e.Offset && m.sum == sumOf(e) }

// within returns the marks from one offset to another, both included.
func (m fingerprints) within(from, to Offset) fingerprints {
	for len(m) > 0 && m[0].at.Offset.Before(from) {
		m = m[1:]
	}
	for len(m) > 0 && to.Before(m[len(m)-1].at.Offset) {
		m = m[:len(m)-1]
	}
	return m
}

// shift corrects the counts behind offset.
func (m fingerprints) shift(offset Offset, lost int64) {
	for i := range m {
		if m[i].at.EntriesRead >= 0 && offset.Before(m[i].at.Offset) {
			m[i].at.EntriesRead += lost
		}
	}
}
