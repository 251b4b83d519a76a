package splits

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// noter stores the attempts at entries that fail. It is a goroutine of its own: neither handing out
// nor committing waits for it. It costs nothing while no entry fails.
type noter[S judged] struct {
	node   func(Split) string
	within time.Duration // of one call
	judge  *judge[S]
	health *health
	// send makes one call of the store for each kind of tasks that there can be.
	send [noteKinds]noteCall[S]

	// The following fields belong to the goroutine of run.
	calls   nodeCalls[error]
	failing map[string]bool // nodes whose last call failed
}

// noteCall makes one call of the store, and returns the errors in the order of the tasks.
type noteCall[S judged] func(ctx context.Context, tasks []noteTask[S]) []error

func newNoter[S judged](
	j *judge[S],
	h *health,
	node func(Split) string,
	within time.Duration,
	note noteCall[S],
) *noter[S] {
	return &noter[S]{
		node: node, within: within, judge: j, health: h, send: [noteKinds]noteCall[S]{noteChange: note},
		calls: newNodeCalls[error](), failing: map[string]bool{},
	}
}

// noteAgainAfter is the wait after a request that failed.
const noteAgainAfter = time.Second

// isOver reports whether an error means that nothing more is stored under a lease or a generation.
func isOver(err error) bool { return errors.Is(err, ErrFenced) || errors.Is(err, ErrStale) }

// run works until stop ends. Its calls end with calls.
func (n *noter[S]) run(stop, calls context.Context) {
	for {
		timer := time.NewTimer(n.wait())
		select {
		case <-stop.Done():
			timer.Stop()
			n.calls.wait(n.complete)
			return
		case end := <-n.calls.done:
			n.calls.free(end)
			n.complete(end)
			if end.result == nil {
				n.step(calls)
			}
		case <-n.judge.noteWanted:
			n.step(calls)
		case <-timer.C:
			n.step(calls)
		}
		timer.Stop()
	}
}

// wait returns the time until the next step, unless a signal comes.
func (n *noter[S]) wait() time.Duration {
	if len(n.failing) > 0 {
		return noteAgainAfter
	}
	return idleLoader
}

// step sends what is due to every node that is not busy.
func (n *noter[S]) step(ctx context.Context) {
	due := groupByNode(n.node, n.judge.takeNotes(), noteTask[S].on)
	for node := range n.failing {
		if due[node] == nil && !n.calls.busy[node] {
			n.complete(completion[error]{node: node}) // what failed is not to be stored any more
		}
	}
	for node, tasks := range due {
		if n.calls.busy[node] {
			n.repeat(tasks) // sent when the call ends
			continue
		}
		n.calls.start(node, func() error { return n.sendAll(ctx, tasks) })
	}
}

// complete handles the end of a call to a node.
func (n *noter[S]) complete(end completion[error]) {
	if end.result != nil {
		n.failing[end.node] = true
		n.health.fail(task{taskNote, end.node}, end.result)
		return
	}
	delete(n.failing, end.node)
	n.health.ok(task{taskNote, end.node})
}

func (n *noter[S]) repeat(tasks []noteTask[S]) {
	for _, task := range tasks {
		n.judge.noteFailed(task)
	}
}

// sendAll stores what is due on one node. It returns the first error after which the outcome is
// unknown.
func (n *noter[S]) sendAll(ctx context.Context, tasks []noteTask[S]) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, n.within)
	defer cancel()
	for i, err := range n.store(ctx, tasks) {
		if err != nil && !isOver(err) {
			n.judge.noteFailed(tasks[i])
			failed = cmp.Or(failed, err)
		}
	}
	return failed
}

// store makes one call for each kind of tasks that there is. It is safe for concurrent use.
func (n *noter[S]) store(ctx context.Context, tasks []noteTask[S]) []error {
	errs := make([]error, len(tasks))
	for kind, send := range n.send {
		var some []noteTask[S]
		var at []int
		for i, t := range tasks {
			if t.kind == noteKind(kind) {
				some, at = append(some, t), append(at, i)
			}
		}
		if len(some) == 0 {
			continue
		}
		for i, err := range send(ctx, some) {
			errs[at[i]] = err
		}
	}
	for i, err := range errs {
		if isOver(err) {
			n.judge.set.refused(tasks[i].split, tasks[i].under, err)
		}
	}
	return errs
}

// flush stores what is due now, once. The loop of run has ended.
func (n *noter[S]) flush(ctx context.Context) {
	if tasks := n.judge.takeNotes(); len(tasks) > 0 {
		_ = n.store(ctx, tasks) // what is not stored only costs deliveries
	}
}
