package pipelines

import (
	"errors"
	"fmt"
	"slices"
)

// kind is a kind of failure.
type kind string

const (
	oneMessage kind = "one message"
	wholeBatch kind = "a whole batch"
	partOfOne  kind = "part of a batch"
	everything kind = "everything for a while"
	forever    kind = "a message forever"
	inPipeline kind = "a message in a processor"
)

// fault is one fault that will happen. All except forever end.
type fault struct {
	kind kind
	// component is the sink or the processor; wholeBatch and partOfOne count its writes.
	component string
	// number is the message of oneMessage, forever and inPipeline.
	number int
	// from is the first write that fails.
	from int
	// times is how many attempts or writes fail.
	times int
}

func (t fault) String() string {
	switch t.kind {
	case forever:
		return fmt.Sprintf("%s refuses m%04d forever", t.component, t.number)
	case oneMessage, inPipeline:
		return fmt.Sprintf("%s refuses m%04d %d times", t.component, t.number, t.times)
	case everything:
		return fmt.Sprintf("everything fails for %d writes", t.times)
	}
	return fmt.Sprintf("%s refuses %s at the writes %d to %d", t.component, t.kind, t.from, t.from+t.times-1)
}

// errRefused is the error of sinks and processors that fail on purpose.
var errRefused = errors.New("refused on purpose")

// schedule decides what fails. It belongs to a results, whose lock the caller holds.
type schedule struct {
	faults []fault
	left   []int
	writes map[string]int
	counts *counts
}

func newSchedule(faults []fault, job *counts) *schedule {
	s := &schedule{faults: faults, left: make([]int, len(faults)), writes: map[string]int{}, counts: job}
	for i, fault := range faults {
		s.left[i] = fault.times
	}
	return s
}

// refuses returns which messages of a write fail: all, some by their index, or none.
func (s *schedule) refuses(sink string, batch [][]token) (all bool, some []int) {
	write := s.writes[sink]
	s.writes[sink]++
	for i, t := range s.faults {
		if t.kind != everything && t.component != sink {
			continue
		}
		failed, whole := s.effect(i, t, write, batch)
		if whole || len(failed) > 0 {
			s.counts.count("failure", string(t.kind))
		}
		all = all || whole
		some = append(some, failed...)
	}
	slices.Sort(some)
	return all, slices.Compact(some)
}

// effect returns what one fault does to a write.
func (s *schedule) effect(i int, t fault, write int, batch [][]token) (failed []int, all bool) {
	switch t.kind {
	case wholeBatch:
		return nil, write >= t.from && write < t.from+t.times
	case partOfOne:
		if write >= t.from && write < t.from+t.times {
			for at := (write + t.from) % 2; at < len(batch); at += 2 {
				failed = append(failed, at)
			}
		}
	case everything:
		if s.left[i] > 0 {
			s.left[i]--
			return nil, true
		}
	case oneMessage, forever:
		if failed = holding(batch, t.number); len(failed) > 0 && t.kind == oneMessage {
			if s.left[i] == 0 {
				return nil, false
			}
			s.left[i]--
		}
	}
	return failed, false
}

// refusesMessage reports whether a processor fails for a message.
func (s *schedule) refusesMessage(processor string, tokens []token) bool {
	for i, t := range s.faults {
		if t.kind == inPipeline && t.component == processor && s.left[i] > 0 &&
			len(holding([][]token{tokens}, t.number)) > 0 {
			s.left[i]--
			s.counts.count("failure", string(t.kind))
			return true
		}
	}
	return false
}

// holding returns the indexes of the bodies that contain a message.
func holding(batch [][]token, number int) []int {
	var found []int
	for i, tokens := range batch {
		if slices.ContainsFunc(tokens, func(t token) bool { return t.number() == number }) {
			found = append(found, i)
		}
	}
	return found
}
