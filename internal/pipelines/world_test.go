package pipelines

import (
	"fmt"
	"strings"
	"sync"

	"github.com/rafka-streams/rafka/splits"
)

// message is one entry of a topic of the run.
type message struct {
	topic, partition int
	key              string
	offset           splits.Offset
}

// world is what a run has brought about so far: what the sinks have, what failed, and what is
// wrong. It outlives the streams of the run. Safe for concurrent use.
type world struct {
	plan *plan

	mu        sync.Mutex
	messages  []message // by their numbers
	schedule  *schedule
	delivered map[string]map[token]bool // by sink
	writes    int                       // that the sinks took
	failures  int
	history   []string
	disorder  string // the first violation of an order that was promised

	written chan struct{} // holds one: a sink took something
}

func newWorld(p *plan, job *tally) *world {
	return &world{
		plan:      p,
		schedule:  newSchedule(p.troubles, job),
		delivered: map[string]map[token]bool{},
		written:   make(chan struct{}, 1),
	}
}

// write decides what a sink does with a batch, and notes it.
func (w *world) write(s *sink, batch [][]token) (failed []int, whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checkOrder(s.name, batch)
	whole, failed = w.schedule.refuses(s.name, batch)
	whole = whole || len(failed) > 0 && !s.partial
	refused := make([]bool, len(batch))
	for _, i := range failed {
		refused[i] = true
	}
	for i, tokens := range batch {
		refused[i] = refused[i] || whole
		if !refused[i] || s.forgive {
			w.keep(s.name, tokens)
		}
	}
	w.note(s.name, batch, refused)
	if whole || len(failed) > 0 {
		w.failures++
	}
	if !whole {
		w.writes++
		select {
		case w.written <- struct{}{}:
		default:
		}
	}
	return failed, whole
}

// keep notes that a sink has the tokens. The lock is held.
func (w *world) keep(sink string, tokens []token) {
	has := w.delivered[sink]
	if has == nil {
		has = map[token]bool{}
		w.delivered[sink] = has
	}
	for _, t := range tokens {
		has[t] = true
	}
}

// longestHistory bounds what is kept of a run that does not end.
const longestHistory = 3000

// note adds a write to the history: what was refused has an exclamation mark. The lock is held.
func (w *world) note(sink string, batch [][]token, refused []bool) {
	if len(w.history) >= longestHistory {
		return
	}
	var line strings.Builder
	line.WriteString(sink + ":")
	for i, tokens := range batch {
		line.WriteString(" ")
		for n, t := range tokens {
			if n > 0 {
				line.WriteString("+")
			}
			line.WriteString(strings.TrimSuffix(string(t), ";"))
		}
		if refused[i] {
			line.WriteString("!")
		}
	}
	w.history = append(w.history, line.String())
}

// refusesMessage reports whether a processor fails for a message.
func (w *world) refusesMessage(processor string, tokens []token) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.schedule.refusesMessage(processor, tokens) {
		return false
	}
	w.failures++
	if len(w.history) < longestHistory {
		w.history = append(w.history, fmt.Sprintf("%s: %v!", processor, tokens))
	}
	return true
}

// checkOrder notes the first message that is written before an earlier one of its key has reached
// its sinks. Those of one write may come together, in order. The lock is held.
func (w *world) checkOrder(sink string, batch [][]token) {
	if !w.plan.ordered || w.disorder != "" {
		return
	}
	before := map[int]bool{}
	for _, tokens := range batch {
		for _, n := range numbersIn(tokens) {
			for earlier := range n {
				if !before[earlier] && w.sameKey(earlier, n) && w.lacks(earlier) {
					w.disorder = fmt.Sprintf(
						"%s gets m%04d before m%04d, which has the same key and has not arrived",
						sink,
						n,
						earlier,
					)
					return
				}
			}
			before[n] = true
		}
	}
}

func (w *world) sameKey(a, b int) bool {
	first, second := w.messages[a], w.messages[b]
	return first.key != "" && first.key == second.key && first.topic == second.topic &&
		first.partition == second.partition
}

// lacks reports whether the sinks need a message and don't have all of it. The lock is held.
func (w *world) lacks(n int) bool {
	if w.plan.mayDrop(n) {
		return false
	}
	for _, t := range pieces(n, w.plan.factors) {
		if !w.plan.need.met(w.delivered, t) {
			return true
		}
	}
	return false
}

// position is how far a partition is committed.
type position struct{ topic, partition int }

// lost returns the messages that are committed and that the sinks lack.
func (w *world) lost(committed map[position]splits.Offset) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lost []string
	for n, m := range w.messages {
		upTo, any := committed[position{m.topic, m.partition}]
		if any && !upTo.Before(m.offset) && w.lacks(n) {
			lost = append(lost, fmt.Sprintf("m%04d (partition %d of t%d)", n, m.partition, m.topic))
		}
	}
	return lost
}

// uncommitted counts the messages that are not committed.
func (w *world) uncommitted(committed map[position]splits.Offset) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := 0
	for _, m := range w.messages {
		if upTo, any := committed[position{m.topic, m.partition}]; !any || upTo.Before(m.offset) {
			count++
		}
	}
	return count
}

// took is how many writes the sinks took, and how many failed.
func (w *world) took() (writes, failures int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes, w.failures
}

// misordered is the first violation of an order that was promised, if any.
func (w *world) misordered() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.disorder
}
