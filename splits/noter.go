package splits

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// noter stores the attempts at entries that fail. It is a goroutine of its own: neither handing out
// nor committing waits for it. It costs nothing while no entry fails.
type noter struct {
	cfg   Config
	set   *splitSet
	calls nodeCalls[error] // belongs to the goroutine of run
}

// noteTask is a request for one split.
type noteTask struct {
	split *ownedSplit
	note  Note
	lone  []*loneFailure // of note.Failing
}

func (t noteTask) on() Split { return t.note.Lease.Split }

func newNoter(cfg Config, set *splitSet) *noter {
	return &noter{cfg: cfg, set: set, calls: newNodeCalls[error]()}
}

// noteAgainAfter is the wait after a request that failed.
const noteAgainAfter = time.Second

// run works until stop ends. Its calls end with calls.
func (n *noter) run(stop, calls context.Context) {
	wait := idleLoader
	for {
		timer := time.NewTimer(wait)
		select {
		case <-stop.Done():
			timer.Stop()
			n.calls.wait(func(completion[error]) {})
			return
		case end := <-n.calls.done:
			n.calls.free(end)
			wait = idleLoader
			if end.result != nil {
				wait = noteAgainAfter
			} else {
				n.step(calls)
			}
		case <-n.set.noteWanted:
			n.step(calls)
		case <-timer.C:
			n.step(calls)
			wait = idleLoader
		}
		timer.Stop()
	}
}

// step sends what is due to every node that is not busy.
func (n *noter) step(ctx context.Context) {
	for node, due := range groupByNode(n.cfg.Node, n.set.takeNotes(), noteTask.on) {
		if n.calls.busy[node] {
			for _, task := range due {
				n.set.noteFailed(task) // sent when the call ends
			}
			continue
		}
		n.calls.start(node, func() error { return n.send(ctx, due) })
	}
}

// send makes one call, and returns the first error after which the outcome is unknown.
func (n *noter) send(ctx context.Context, due []noteTask) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Heartbeat)
	defer cancel()
	notes := make([]Note, len(due))
	for i, task := range due {
		notes[i] = task.note
	}
	for i, err := range n.cfg.Leases.Note(ctx, notes) {
		switch {
		case err == nil:
		case errors.Is(err, ErrFenced):
			n.set.fenced(notes[i].Lease, causeOf(err))
		default:
			n.set.noteFailed(due[i])
			failed = cmp.Or(failed, err)
		}
	}
	return failed
}
