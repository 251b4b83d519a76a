package splits

import (
	"context"
	"errors"
	"time"
)

// loader loads the fields of unloaded entries when it is their turn. It is a goroutine of its own:
// neither reading ahead nor committing waits for it. Each node has at most one call in flight.
type loader struct {
	cfg    Config
	set    *splitSet
	health *health

	// The following fields belong to the goroutine of run.
	calls    nodeCalls[error]
	backoffs map[string]Backoff   // of nodes whose last call failed
	notUntil map[string]time.Time // no call is made to the node before then
}

func newLoader(cfg Config, set *splitSet, h *health) *loader {
	return &loader{
		cfg: cfg, set: set, health: h, calls: newNodeCalls[error](),
		backoffs: map[string]Backoff{}, notUntil: map[string]time.Time{},
	}
}

// run works until stop ends. Its calls end with calls.
func (l *loader) run(stop, calls context.Context) {
	for {
		timer := time.NewTimer(l.step(calls))
		select {
		case <-stop.Done():
			timer.Stop()
			l.calls.wait(l.complete)
			return
		case end := <-l.calls.done:
			l.calls.free(end)
			l.complete(end)
		case <-l.set.loadWanted:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// idleLoader is how long the loader sleeps without a task unless it is woken.
const idleLoader = time.Minute

// step makes a call to every node that has tasks and is not busy, and returns when to look again.
func (l *loader) step(ctx context.Context) (wait time.Duration) {
	now := l.cfg.Now()
	wait = idleLoader
	tasks := groupByNode(l.cfg.Node, l.set.loadTasks(), loadTask.on)
	for node := range l.backoffs {
		if wait = min(wait, l.cfg.Heartbeat); tasks[node] == nil && !l.calls.busy[node] {
			l.complete(completion[error]{node: node}) // the splits that failed have been given up
		}
	}
	for node, due := range tasks {
		if l.calls.busy[node] {
			continue // run looks again when its call ends
		}
		if left := l.notUntil[node].Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		l.calls.start(node, func() error { return l.load(ctx, due) })
	}
	return wait
}

// load makes one call.
func (l *loader) load(ctx context.Context, due []loadTask) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.FetchWithin)
	defer cancel()
	requests := make([]LoadRequest, len(due))
	for i, task := range due {
		requests[i] = task.request()
	}
	loaded, err := l.cfg.Streams.Load(ctx, requests)
	if err != nil {
		l.set.loadFailed(due)
		return err
	}
	losses, failed := l.set.addLoaded(due, loaded)
	if len(losses) > 0 {
		l.cfg.Observer.Lost(losses)
	}
	for s, why := range failed {
		if _, stopped := errors.AsType[*LossError](why); stopped {
			l.health.fail(task{taskSplit, s.Key}, why)
			continue
		}
		err = why // one of them will do: the call is repeated
	}
	return err
}

// complete handles the end of a call to a node.
func (l *loader) complete(end completion[error]) {
	about := task{taskLoad, end.node}
	if end.result == nil {
		delete(l.backoffs, end.node)
		delete(l.notUntil, end.node)
		l.health.ok(about)
		return
	}
	if l.backoffs[end.node] == nil {
		l.backoffs[end.node] = l.cfg.Backoff()
	}
	l.notUntil[end.node] = l.cfg.Now().Add(l.backoffs[end.node].NextBackOff())
	l.health.fail(about, end.result)
}
