package appender

import (
	"errors"
	"runtime"
	"slices"
)

// maxRoundBytes bounds the size of one round; further queues wait for the next round. A round of
// many full appends could take longer than the timeout of a request.
const maxRoundBytes = 16 << 20

// writersPerNode is how many writers a node has: while the node works on the round of one writer,
// the other one makes and sends its own round. Two writers write batches of 1,000 records 14 %
// faster than one; four writers gain nothing more (make bench CASE=write).
const writersPerNode = 2

// writerKey identifies a writer.
type writerKey struct {
	node  string
	index int // below writersPerNode
}

// errNoAnswer is the error of an append for which the Store returned no result.
var errNoAnswer = errors.New("the store returned no result for the append")

// writer sends the batches of its queues, round after round. The Appender starts its goroutine when
// the first queue becomes ready. The goroutine ends when no queue is ready, and Close joins it.
type writer struct {
	owner *Appender
	// ready and running are guarded by the owner's lock. The queues are in the order in which they
	// became ready.
	ready   []*queue
	running bool
}

// answer is the answer to one append of a round, and what follows from it.
type answer struct {
	target   Target
	result   Result
	decision decision
	node     string // the node that has the target now
	lost     *Lost  // what the store has lost since its last answer, if anything
}

// run sends rounds until no queue is ready or the Appender is closed.
func (w *writer) run() {
	var (
		round    []*queue
		requests []Request
		answers  []answer
		store    = w.owner.config.Store
	)
	for {
		// Goroutines that are about to append run first, so that their records join this round. On
		// a busy machine that makes rounds several times larger; on an idle one it takes no time.
		runtime.Gosched()
		round = w.take(round[:0])
		if len(round) == 0 {
			return
		}
		requests = requests[:0]
		for _, q := range round {
			q.batch.assemble()
			requests = append(requests, q.batch.Request)
		}
		results := store.Append(w.owner.ctx, requests)
		answers = w.decide(answers[:0], round, results)
		w.observe(answers)
		w.owner.complete(round, answers)
		w.observeLosses(answers)
		clear(requests)
		clear(round)
		clear(answers)
	}
}

// take forms the next round from the queues that are ready. If none is ready, it marks the writer
// as ended.
func (w *writer) take(round []*queue) []*queue {
	a := w.owner
	a.mu.Lock()
	defer a.mu.Unlock()
	size := 0
	for _, q := range w.ready {
		if size >= maxRoundBytes {
			break
		}
		size += q.next(a.config.Producer)
		round = append(round, q)
	}
	w.ready = slices.Delete(w.ready, 0, len(round))
	w.running = len(round) > 0
	return round
}

// decide finds out what follows from the results, and which nodes have the partitions now. A
// partition that has moved to another node continues there.
func (w *writer) decide(answers []answer, round []*queue, results []Result) []answer {
	c := &w.owner.config
	for i, q := range round {
		r := Result{Status: Unknown, Err: errNoAnswer}
		if i < len(results) {
			r = results[i]
		}
		t := q.batch.Target
		answers = append(answers, answer{target: t, result: r, decision: q.batch.decide(r, c), node: c.Store.Node(t)})
	}
	return answers
}

// observe reports everything but losses, before the callers of Append have the outcomes. After
// complete another writer can send the next attempt, and report its outcome first. A Gap is not
// reported as a retry.
func (w *writer) observe(answers []answer) {
	o := w.owner.config.Observer
	if o == nil {
		return
	}
	for _, a := range answers {
		if a.result.Status == Duplicate {
			o.Deduplicated(a.target)
		}
		switch {
		case a.decision.endsRetries:
			o.RetriesEnded(a.target, a.decision.err)
		case a.decision.next != finish && a.result.Status != Gap:
			o.Retried(a.target, a.result)
		}
	}
}

// observeLosses reports losses, which complete finds.
func (w *writer) observeLosses(answers []answer) {
	o := w.owner.config.Observer
	if o == nil {
		return
	}
	for _, a := range answers {
		if a.lost != nil {
			o.Gap(a.target, *a.lost)
		}
	}
}
