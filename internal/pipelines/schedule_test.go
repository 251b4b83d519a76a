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
	forEver    kind = "a message for ever"
	inPipeline kind = "a message in a processor"
)

// trouble is one failure that is going to happen. All but forEver heal.
type trouble struct {
	kind kind
	// place is the sink or the processor; wholeBatch and partOfOne count its writes.
	place string
	// number is the message of oneMessage, forEver and inPipeline.
	number int
	// from is the first write that fails.
	from int
	// times is how many attempts or writes fail.
	times int
}

func (t trouble) String() string {
	switch t.kind {
	case forEver:
		return fmt.Sprintf("%s refuses m%04d for ever", t.place, t.number)
	case oneMessage, inPipeline:
		return fmt.Sprintf("%s refuses m%04d %d times", t.place, t.number, t.times)
	case everything:
		return fmt.Sprintf("everything fails for %d writes", t.times)
	}
	return fmt.Sprintf("%s refuses %s at the writes %d to %d", t.place, t.kind, t.from, t.from+t.times-1)
}

// errRefused is what sinks and processors say that fail on purpose.
var errRefused = errors.New("refused on purpose")

// schedule decides what fails. It belongs to a world, whose lock is held in all methods.
type schedule struct {
	troubles []trouble
	left     []int
	writes   map[string]int
	tally    *tally
}

func newSchedule(troubles []trouble, job *tally) *schedule {
	s := &schedule{troubles: troubles, left: make([]int, len(troubles)), writes: map[string]int{}, tally: job}
	for i, trouble := range troubles {
		s.left[i] = trouble.times
	}
	return s
}

// refuses returns which messages of a write fail: all, some by their index, or none.
func (s *schedule) refuses(sink string, batch [][]token) (all bool, some []int) {
	write := s.writes[sink]
	s.writes[sink]++
	for i, t := range s.troubles {
		if t.kind != everything && t.place != sink {
			continue
		}
		failed, whole := s.effect(i, t, write, batch)
		if whole || len(failed) > 0 {
			s.tally.hit("failure", string(t.kind))
		}
		all = all || whole
		some = append(some, failed...)
	}
	slices.Sort(some)
	return all, slices.Compact(some)
}

// effect is what one trouble does to a write.
func (s *schedule) effect(i int, t trouble, write int, batch [][]token) (failed []int, all bool) {
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
	case oneMessage, forEver:
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
	for i, t := range s.troubles {
		if t.kind == inPipeline && t.place == processor && s.left[i] > 0 &&
			len(holding([][]token{tokens}, t.number)) > 0 {
			s.left[i]--
			s.tally.hit("failure", string(t.kind))
			return true
		}
	}
	return false
}

// holding returns the indexes of those that hold a message.
func holding(batch [][]token, number int) []int {
	var found []int
	for i, tokens := range batch {
		if slices.ContainsFunc(tokens, func(t token) bool { return t.number() == number }) {
			found = append(found, i)
		}
	}
	return found
}
