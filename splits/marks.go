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
type marks []mark

type mark struct {
	at   Position
	sum  uint64 // of the fields
	made time.Time
}

const (
	// mostMarks and markEvery make marks reach back several seconds, or further where little is
	// written.
	mostMarks = 64
	markEvery = 100 * time.Millisecond
)

var markSeed = maphash.MakeSeed()

func sumOf(e Entry) uint64 {
	var h maphash.Hash
	h.SetSeed(markSeed)
	for _, f := range e.Fields {
		_, _ = h.WriteString(f) // can't fail
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// add notes the entry that was read last, by its place and its sum. The newest mark always is that
// one; those before it are markEvery apart.
func (m *marks) add(at Position, sum uint64, now time.Time) {
	next := mark{at: at, sum: sum, made: now}
	all := *m
	switch n := len(all); {
	case n >= 2 && max(now.Sub(all[n-1].made), all[n-1].made.Sub(all[n-2].made)) < markEvery:
		all = all[:n-1]
	case n == mostMarks:
		all = all[:copy(all, all[1:])]
	}
	all = append(all, next)
	*m = all
}

// is reports whether the mark is this entry.
func (m mark) is(e Entry) bool { return m.at.Offset == e.Offset && m.sum == sumOf(e) }

// within returns the marks from one offset to another, both included.
func (m marks) within(from, to Offset) marks {
	for len(m) > 0 && m[0].at.Offset.Before(from) {
		m = m[1:]
	}
	for len(m) > 0 && to.Before(m[len(m)-1].at.Offset) {
		m = m[:len(m)-1]
	}
	return m
}

// shift corrects the counts behind offset.
func (m marks) shift(offset Offset, lost int64) {
	for i := range m {
		if m[i].at.EntriesRead >= 0 && offset.Before(m[i].at.Offset) {
			m[i].at.EntriesRead += lost
		}
	}
}
