package appender

import (
	"errors"
	"runtime"
	"slices"
)

// maxRoundBytes bounds what one round holds; what is beyond goes first in the next one. A round of
// many full appends would otherwise take longer than a request may.
const maxRoundBytes = 16 << 20

// sides is how many writers a node has: while it works on the round of one, the other makes and
// sends its own. Batches of 1,000 are written 14 % faster by two than by one, and no faster by
// four.
const sides = 2

// lane is the way of one writer's rounds.
type lane struct {
	node string
	side int
}

// errNoAnswer stands in for an answer that the Log left out.
var errNoAnswer = errors.New("the log gave no answer")

// writer sends the appends of one lane, round after round. Its goroutine lives while there are any:
// the Appender starts it when the first queue becomes ready, it ends when none is, and Close joins
// it.
type writer struct {
	owner *Appender
	// ready and running are guarded by the owner's lock. The queues are in the order in which they
	// became ready.
	ready   []*queue
	running bool
}

// answer is what became of one append of a round.
type answer struct {
	target  Target
	result  Result
	verdict verdict
	node    string
	lost    *Lost // what the store has lost since its last answer, if anything
	settled bool  // the append was sent before and has its outcome now
}

// run sends rounds until nothing is ready or the Appender is closed.
func (w *writer) run() {
	var (
		round   []*queue
		appends []Append
		answers []answer
		log     = w.owner.config.Log
	)
	for {
		// Who is about to append gets to do so first, and joins this round: on a busy machine
		// rounds are several times larger so. Where nobody is, this takes no time.
		runtime.Gosched()
		round = w.take(round[:0])
		if len(round) == 0 {
			return
		}
		appends = appends[:0]
		for _, q := range round {
			q.flight.assemble()
			appends = append(appends, q.flight.Append)
		}
		results := log.Append(w.owner.ctx, appends)
		answers = w.judge(answers[:0], round, results)
		w.observeRetries(answers)
		w.owner.land(round, answers)
		w.observe(answers)
		clear(appends)
		clear(round)
		clear(answers)
	}
}

// take forms the next round of what is ready. Without any, it marks the writer as ended.
func (w *writer) take(round []*queue) []*queue {
	a := w.owner
	a.mu.Lock()
	defer a.mu.Unlock()
	size := 0
	for _, q := range w.ready {
		if size >= maxRoundBytes {
			break
		}
		size += q.depart(a.config.Producer)
		round = append(round, q)
	}
	w.ready = slices.Delete(w.ready, 0, len(round))
	w.running = len(round) > 0
	return round
}

// judge finds out what the answers mean, and where the partitions are now: one that has moved to
// another node goes on there.
func (w *writer) judge(answers []answer, round []*queue, results []Result) []answer {
	c := &w.owner.config
	for i, q := range round {
		r := Result{Status: Unknown, Err: errNoAnswer}
		if i < len(results) {
			r = results[i]
		}
		t := q.flight.Target
		answers = append(answers, answer{target: t, result: r, verdict: q.flight.judge(r, c), node: c.Log.Node(t)})
	}
	return answers
}

// observeRetries reports the failed attempts that are followed by another, before any other writer
// can send that one: its outcome must not be reported first. A Gap is reported as such.
func (w *writer) observeRetries(answers []answer) {
	o := w.owner.config.Observer
	if o == nil {
		return
	}
	for _, a := range answers {
		if a.verdict.next != settle && a.result.Status != Gap {
			o.Retried(a.target, a.result)
		}
	}
}

// observe reports everything else that is out of the ordinary.
func (w *writer) observe(answers []answer) {
	o := w.owner.config.Observer
	if o == nil {
		return
	}
	for _, a := range answers {
		switch {
		case a.result.Status == Duplicate:
			o.Deduplicated(a.target)
		case a.lost != nil:
			o.Gap(a.target, *a.lost)
		}
		if a.settled {
			o.Settled(a.target, a.verdict.cause)
		}
	}
}
