package splitstest

import (
	"math"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// stream is one Redis stream. The zero stream was emptied before it ever had an entry.
type stream struct {
	entries    []splits.Entry // in the order of their offsets
	last       splits.Offset  // the last generated offset
	added      int64
	maxDeleted splits.Offset
	groups     map[string]*nativeGroup // of share groups
}

func (s *stream) clone() *stream {
	c := *s
	c.entries = slices.Clone(s.entries)
	c.groups = nil
	for name, g := range s.groups {
		c.setGroup(name, g.clone())
	}
	return &c
}

// next returns the offset of an entry that is added at this time: offsets grow even if the clock
// was set back.
func (s *stream) next(now uint64) splits.Offset {
	switch {
	case now > s.last.Millis:
		return splits.Offset{Millis: now}
	case s.last.Seq == math.MaxUint64:
		return splits.Offset{Millis: s.last.Millis + 1}
	}
	return splits.Offset{Millis: s.last.Millis, Seq: s.last.Seq + 1}
}

func (s *stream) add(entry splits.Entry) {
	s.entries = append(s.entries, entry)
	s.last = entry.Offset
	s.added++
}

// search returns the index of the first entry at or behind the offset.
func (s *stream) search(offset splits.Offset) int {
	i, _ := slices.BinarySearchFunc(
		s.entries,
		offset,
		func(e splits.Entry, o splits.Offset) int { return e.Offset.Compare(o) },
	)
	return i
}

// after returns the entries behind the offset, at most count unless count is 0.
func (s *stream) after(offset splits.Offset, count int) []splits.Entry {
	from := s.search(offset)
	if from < len(s.entries) && s.entries[from].Offset == offset {
		from++
	}
	found := s.entries[from:]
	if count > 0 {
		found = found[:min(count, len(found))]
	}
	return slices.Clone(found)
}

// entry returns the entry at the offset, if the stream has it; a nil stream has none.
func (s *stream) entry(offset splits.Offset) (splits.Entry, bool) {
	if s == nil {
		return splits.Entry{}, false
	}
	i := s.search(offset)
	if i == len(s.entries) || s.entries[i].Offset != offset {
		return splits.Entry{}, false
	}
	return s.entries[i], true
}

// trim removes the n oldest entries.
func (s *stream) trim(n int) { s.entries = slices.Delete(s.entries, 0, n) }

func (s *stream) delete(offset splits.Offset) bool {
	if _, there := s.entry(offset); !there {
		return false
	}
	i := s.search(offset)
	s.entries = slices.Delete(s.entries, i, i+1)
	if s.maxDeleted.Before(offset) {
		s.maxDeleted = offset
	}
	return true
}

// describe returns the state of the stream; a nil stream does not exist.
func (s *stream) describe() splits.State {
	if s == nil {
		return splits.State{}
	}
	d := splits.State{
		Exists:       true,
		Length:       int64(len(s.entries)),
		Last:         s.last,
		EntriesAdded: s.added,
		MaxDeleted:   s.maxDeleted,
	}
	if len(s.entries) > 0 {
		d.First = s.entries[0].Offset
	}
	return d
}
