package splitstest

import (
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// AppendResult is the result of an append with a number.
type AppendResult int

// The results of the append script.
const (
	AppendWritten AppendResult = iota // the entries are in the stream
	// an append of this epoch with this number or a higher one is there already: nothing was
	// written
	AppendDuplicate
	AppendStale // a higher epoch of the producer is known: nothing was written
	AppendGap   // the number before this one is not known: nothing was written
)

// producerKey names what is kept of one producer; it is in the slot of the stream.
type producerKey struct{ stream, producer string }

// producerState is the epoch and number of a producer's last append to one stream.
type producerState struct{ epoch, seq uint64 }

// Appended is the answer to AppendNumbered.
type Appended struct {
	Verdict AppendResult
	// Epoch and Seq are what was known of the producer before; zero if it was not known.
	Epoch, Seq uint64
	// Offsets are the offsets of the new entries, if any were written.
	Offsets []splits.Offset
}

// AppendNumbered appends entries, given by their fields, at most once for a producer, epoch and
// number.
func (s *Store) AppendNumbered(split splits.Split, producer string, epoch, seq uint64, records [][]string) Appended {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := producerKey{split.Key, producer}
	known, stored := s.state.producers[key]
	answer := Appended{Epoch: known.epoch, Seq: known.seq}
	switch {
	case stored && known.epoch > epoch:
		answer.Verdict = AppendStale
	case stored && known.epoch == epoch && seq <= known.seq:
		answer.Verdict = AppendDuplicate
	case stored && known.epoch == epoch && seq > known.seq+1:
		answer.Verdict = AppendGap
	default:
		for _, fields := range records {
			offset := s.stream(split).next(uint64(s.now()))
			s.add(split, splits.Entry{Offset: offset, Fields: slices.Clone(fields)})
			answer.Offsets = append(answer.Offsets, offset)
		}
		s.state.producers[key] = producerState{epoch, seq}
	}
	return answer
}

// Entries returns the entries in the stream of the split.
func (s *Store) Entries(split splits.Split) []splits.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.state.streams[split.Key]; st != nil {
		return slices.Clone(st.entries)
	}
	return nil
}
