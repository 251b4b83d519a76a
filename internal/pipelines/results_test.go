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

// results is what a run has produced so far: what the sinks have, what failed, and violations of
// order. It outlives the streams of the run. It is safe for concurrent use.
type results struct {
	plan *plan

	mu             sync.Mutex
	messages       []message // by their numbers
	schedule       *schedule
	delivered      map[string]map[token]bool // by sink
	writes         int                       // writes that the sinks accepted
	failures       int
	history        []string
	orderViolation string // the first violation of a promised order

	written chan struct{} // capacity 1: a sink accepted a write
}

func newResults(p *plan, job *counts) *results {
	return &results{
		plan:      p,
		schedule:  newSchedule(p.faults, job),
		delivered: map[string]map[token]bool{},
		written:   make(chan struct{}, 1),
	}
}

// write decides what a sink does with a batch, and records it.
func (r *results) write(s *sink, batch [][]token) (failed []int, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checkOrder(s.name, batch)
	whole, failed = r.schedule.refuses(s.name, batch)
	whole = whole || len(failed) > 0 && !s.partial
	refused := make([]bool, len(batch))
	for _, i := range failed {
		refused[i] = true
	}
	for i, tokens := range batch {
		refused[i] = refused[i] || whole
		if !refused[i] || s.forgive {
			r.addDelivered(s.name, tokens)
		}
	}
	r.addHistory(s.name, batch, refused)
	if whole || len(failed) > 0 {
		r.failures++
	}
	if !whole {
		r.writes++
		select {
		case r.written <- struct{}{}:
		default:
		}
	}
	return failed, whole
}

// addDelivered records that a sink has the tokens. The caller holds the lock.
func (r *results) addDelivered(sink string, tokens []token) {
	has := r.delivered[sink]
	if has == nil {
		has = map[token]bool{}
		r.delivered[sink] = has
	}
	for _, t := range tokens {
		has[t] = true
	}
}

// longestHistory bounds the history of a run that does not end.
const longestHistory = 3000

// addHistory adds a write to the history; refused messages have an exclamation mark. The caller
// holds the lock.
func (r *results) addHistory(sink string, batch [][]token, refused []bool) {
	if len(r.history) >= longestHistory {
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
	r.history = append(r.history, line.String())
}

// refusesMessage reports whether a processor fails for a message.
func (r *results) refusesMessage(processor string, tokens []token) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.schedule.refusesMessage(processor, tokens) {
		return false
	}
	r.failures++
	if len(r.history) < longestHistory {
		r.history = append(r.history, fmt.Sprintf("%s: %v!", processor, tokens))
	}
	return true
}

// checkOrder records the first message that is written before an earlier message of its key has
// reached its sinks. Messages of one write can arrive together, in order. The caller holds the
// lock.
func (r *results) checkOrder(sink string, batch [][]token) {
	if !r.plan.ordered || r.orderViolation != "" {
		return
	}
	before := map[int]bool{}
	for _, tokens := range batch {
		for _, n := range numbersIn(tokens) {
			for earlier := range n {
				if !before[earlier] && r.sameKey(earlier, n) && r.isMissing(earlier) {
					r.orderViolation = fmt.Sprintf(
						"%s receives m%04d before m%04d, which has the same key and has not arrived",
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

func (r *results) sameKey(a, b int) bool {
	first, second := r.messages[a], r.messages[b]
	return first.key != "" && first.key == second.key && first.topic == second.topic &&
		first.partition == second.partition
}

// isMissing reports whether the sinks require a message and don't have all of it. The caller holds
// the lock.
func (r *results) isMissing(n int) bool {
	if r.plan.mayDrop(n) {
		return false
	}
	for _, t := range pieces(n, r.plan.factors) {
		if !r.plan.requirement.isMet(r.delivered, t) {
			return true
		}
	}
	return false
}

// partitionID identifies a partition.
type partitionID struct{ topic, partition int }

// position is how far a group has got in a partition: it was done with all messages up to an offset
// except the open ones. In a share group these are pending.
type position struct {
	upTo splits.Offset
	open map[splits.Offset]bool
}

// covers reports whether the group was done with a message.
func (p position) covers(m message) bool { return !p.upTo.Before(m.offset) && !p.open[m.offset] }

// lost returns the messages that are committed but missing at the sinks.
func (r *results) lost(committed map[partitionID]position) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lost []string
	for n, m := range r.messages {
		if committed[partitionID{m.topic, m.partition}].covers(m) && r.isMissing(n) {
			lost = append(lost, fmt.Sprintf("m%04d (partition %d of t%d)", n, m.partition, m.topic))
		}
	}
	return lost
}

// uncommitted returns the number of messages that are not committed.
func (r *results) uncommitted(committed map[partitionID]position) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := 0
	for _, m := range r.messages {
		if !committed[partitionID{m.topic, m.partition}].covers(m) {
			count++
		}
	}
	return count
}

// progress returns how many writes the sinks accepted, and how many failed.
func (r *results) progress() (writes, failures int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes, r.failures
}

// firstOrderViolation returns the first violation of a promised order, "" if there is none.
func (r *results) firstOrderViolation() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.orderViolation
}
