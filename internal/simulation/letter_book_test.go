package simulation

import (
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// letterBook is what the oracle knows of the batches in the pipelines and of the entries that
// failed alone. It decides by itself, without the code that it checks, which failures have the
// entry for their cause. The lock of the oracle guards it.
type letterBook struct {
	plan      plan
	now       int // the number of events so far
	pipelines map[string]*pipelineModel
	batches   map[*splits.Batch]*attempt
	alone     map[string]*loneRecord // by the ID of the record
	// clockAhead is by how much the clock of the store was set forward, in all.
	clockAhead time.Duration
}

// pipelineModel is what is known of the pipeline of one process.
type pipelineModel struct {
	open    map[*attempt]bool
	failed  []*attempt
	flights map[*flight]bool // the entries that are to be in flight alone
	// succeeded is when a batch was processed last. rows counts the batches that were processed and
	// acknowledged.
	succeeded time.Time
	rows      int
	// given holds the records that were given up since the last of them.
	given   map[string]bool
	givenIn int // the value of rows to which given belongs
}

// attempt is one batch, from when it was handed out until its outcome.
type attempt struct {
	in       *pipelineModel
	ids      []string
	split    string // its key
	offsets  []splits.Offset
	from, to int // numbers of events; to is 0 until there is an outcome
	at       time.Time
}

// loneRecord is a record that failed alone.
type loneRecord struct {
	all       []*attempt
	forgotten int // all[:forgotten] do not count any more: the group was moved since
	// row is pipelineModel.rows at the last failure, of the process that had it.
	row int
}

func newLetterBook(p plan) *letterBook {
	return &letterBook{
		plan: p, pipelines: map[string]*pipelineModel{}, batches: map[*splits.Batch]*attempt{},
		alone: map[string]*loneRecord{},
	}
}

// pipeline returns the model of the pipeline of a process.
func (k *letterBook) pipeline(process string) *pipelineModel {
	p := k.pipelines[process]
	if p == nil {
		p = &pipelineModel{open: map[*attempt]bool{}, flights: map[*flight]bool{}}
		k.pipelines[process] = p
	}
	return p
}

// handedOut notes that a process has a batch in its pipeline. It returns why it must not; "" if it
// may.
func (k *letterBook) handedOut(process string, b *splits.Batch) (objection string) {
	k.now++
	a := &attempt{in: k.pipeline(process), from: k.now, split: b.Split.Key}
	for _, e := range b.Entries {
		a.ids, a.offsets = append(a.ids, e.Fields[1]), append(a.offsets, e.Offset)
	}
	objection = a.in.objection(b.Context(), a)
	a.in.open[a], k.batches[b] = true, a
	return objection
}

// returned notes the outcome of a batch, before the process learns it.
func (k *letterBook) returned(b *splits.Batch, done bool) {
	k.now++
	a := k.batches[b]
	delete(k.batches, b)
	delete(a.in.open, a)
	a.to, a.at = k.now, time.Now()
	if done {
		a.in.succeeded = a.at
		return
	}
	a.in.failed = append(a.in.failed, a)
	if len(a.ids) > 1 {
		return
	}
	r := k.alone[a.ids[0]]
	if r == nil {
		r = &loneRecord{}
		k.alone[a.ids[0]] = r
	}
	r.all, r.row = append(r.all, a), a.in.rows
}

// acknowledged notes that the process has learned that a batch was processed.
func (k *letterBook) acknowledged(process string) { k.pipeline(process).rows++ }

// forget notes that the failures of a record up to now do not count any more.
func (k *letterBook) forget(id string) {
	if r := k.alone[id]; r != nil {
		r.forgotten = len(r.all)
	}
}

// causes returns how often the record was the cause of a failure, and the time of the first of
// these failures. all includes the failures that do not count any more.
func (k *letterBook) causes(id string, all bool) (n int, first time.Time) {
	r := k.alone[id]
	if r == nil {
		return 0, time.Time{}
	}
	counts := r.all[r.forgotten:]
	if all {
		counts = r.all
	}
	for _, a := range counts {
		if !a.certain() {
			continue
		}
		if n++; n == 1 {
			first = a.at
		}
	}
	return n, first
}

// certain reports whether the only entry of a batch that failed was the cause: no other batch
// failed that was in the same pipeline at the same time.
func (a *attempt) certain() bool {
	for _, other := range a.in.failed {
		if other != a && other.from < a.to && other.to > a.from {
			return false
		}
	}
	for other := range a.in.open {
		if other.from < a.to {
			return false
		}
	}
	return true
}

// objection returns why a process must not give up a record; "" if it may. all includes the
// failures that do not count any more.
func (k *letterBook) objection(process string, l splits.Letter, unfit, all bool) string {
	id, needed := l.Entry.Fields[1], k.plan.maxDeliveries
	matches := k.plan.match && unfit
	if matches {
		needed = 1
	}
	n, first := k.causes(id, all)
	if n < needed || l.Deliveries < needed {
		return fmt.Sprintf("%s is given up after %d deliveries, but was the cause of %d failures of %d",
			id, l.Deliveries, n, needed)
	}
	silent := k.pipeline(process).succeeded.Before(first)
	if !matches && silent && time.Since(first)+k.clockAhead < k.plan.minAge {
		return fmt.Sprintf("%s is given up %v after its first failure, and %s has processed nothing since",
			id, time.Since(first), process)
	}
	return ""
}

// row returns the number of batches that the process had acknowledged when it gave up a record that
// failed last; ok is false if a batch was acknowledged since.
func (k *letterBook) row(process, id string) (row int, ok bool) {
	p, r := k.pipeline(process), k.alone[id]
	return p.rows, r != nil && r.row == p.rows
}

// giveUp notes that a process has given up a record in a row, and returns how many it has given up
// in that row.
func (k *letterBook) giveUp(process, id string, row int) int {
	p := k.pipeline(process)
	switch {
	case p.givenIn > row:
		return 0 // a late request
	case p.givenIn < row || p.given == nil:
		p.given, p.givenIn = map[string]bool{}, row
	}
	p.given[id] = true
	return len(p.given)
}
