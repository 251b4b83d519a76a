package splits

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// shareAcknowledger stores which entries were processed, and watches the entries that are suspected
// to kill the process. What could not be stored is kept and tried again. Each node has calls of its
// own, so that no node delays another. Each split has at most one acknowledgement in flight.
type shareAcknowledger struct {
	cfg    ShareConfig
	set    *shareSet
	health *health
	// retryNow ends a back-off early: the store is available again.
	retryNow signal

	// The following fields belong to the goroutine of run.
	calls    nodeCalls[error]
	backoffs map[string]Backoff   // of nodes whose last call failed
	notUntil map[string]time.Time // when such a node is called again
}

func newShareAcknowledger(cfg ShareConfig, set *shareSet, h *health) *shareAcknowledger {
	return &shareAcknowledger{
		cfg: cfg, set: set, health: h, retryNow: newSignal(), calls: newNodeCalls[error](),
		backoffs: map[string]Backoff{}, notUntil: map[string]time.Time{},
	}
}

// idleAcknowledger is how long the acknowledger sleeps if there is nothing to do.
const idleAcknowledger = time.Minute

// run works until stop ends. Its calls end with calls.
func (a *shareAcknowledger) run(stop, calls context.Context) {
	for {
		timer := time.NewTimer(a.step(calls))
		select {
		case <-stop.Done():
			timer.Stop()
			a.calls.wait(a.complete)
			return
		case end := <-a.calls.done:
			a.calls.free(end)
			a.complete(end)
		case <-a.set.ackable:
		case <-a.retryNow:
			clear(a.notUntil)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step sends what was processed to every node that is not busy. It returns the time until the next
// step, unless a signal comes.
func (a *shareAcknowledger) step(ctx context.Context) time.Duration {
	wait, now := idleAcknowledger, a.cfg.Now()
	if a.set.watchSuspects() {
		wait = pollEvery
		for _, f := range a.set.judge.reportKillers(false) {
			a.cfg.Observer.Failing(f)
		}
	}
	for node, due := range groupByNode(a.cfg.Node, a.set.unackedSplits(), func(s Split) Split { return s }) {
		if a.calls.busy[node] {
			continue
		}
		if left := a.notUntil[node].Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		a.calls.start(node, func() error { return a.send(ctx, due) })
	}
	return wait
}

// complete handles the end of a call to a node.
func (a *shareAcknowledger) complete(end completion[error]) {
	t := task{taskCommit, end.node}
	if end.result == nil {
		delete(a.backoffs, end.node)
		delete(a.notUntil, end.node)
		a.health.ok(t)
		return
	}
	a.health.fail(t, end.result)
	if a.backoffs[end.node] == nil {
		a.backoffs[end.node] = a.cfg.Backoff()
	}
	wait := min(a.backoffs[end.node].NextBackOff(), a.cfg.Heartbeat)
	a.notUntil[end.node] = a.cfg.Now().Add(wait)
}

// send acknowledges what was processed of splits on one node. It returns the first error after
// which the outcome is unknown.
func (a *shareAcknowledger) send(ctx context.Context, splits []Split) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Heartbeat)
	defer cancel()
	acks := a.set.takeDone(splits)
	if len(acks) == 0 {
		return nil
	}
	for i, answer := range a.cfg.Shares.Acknowledge(ctx, acks) {
		stale := errors.Is(answer.Err, ErrStale)
		a.set.acknowledged(acks[i], answer)
		switch {
		case answer.Err == nil:
			last := acks[i].Offsets[len(acks[i].Offsets)-1]
			a.cfg.Observer.Committed(acks[i].Split, Position{Offset: last, EntriesRead: CountUnknown})
			if answer.Kept != nil {
				a.cfg.Observer.Kept(acks[i].Split, len(acks[i].Offsets), answer.Kept)
			}
		case !stale:
			failed = cmp.Or(failed, answer.Err)
		}
	}
	return failed
}

// flush acknowledges everything that was processed, until it succeeds once or ctx ends. The loop of
// run has ended.
func (a *shareAcknowledger) flush(ctx context.Context) {
	backoff := a.cfg.Backoff()
	for {
		splits := a.set.unackedSplits()
		if len(splits) == 0 {
			return
		}
		if a.send(ctx, splits) != nil && sleepOr(ctx, backoff.NextBackOff(), nil) != nil {
			return
		}
	}
}

// acknowledgeLater queues a split whose entries were processed. The lock is held.
func (set *shareSet) acknowledgeLater(s *shareSplit) {
	if len(s.done) > 0 && !slices.Contains(set.unacked, s) {
		set.unacked = append(set.unacked, s)
	}
	set.ackable.raise()
}

// unackedSplits returns the splits with entries to acknowledge of which no acknowledgement is in
// flight.
func (set *shareSet) unackedSplits() (all []Split) {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.unacked = slices.DeleteFunc(set.unacked, func(s *shareSplit) bool {
		return len(s.done) == 0 && !s.doneAsked
	})
	for _, s := range set.unacked {
		if !s.doneAsked {
			all = append(all, s.split)
		}
	}
	return all
}

// takeDone returns what is to be acknowledged of some splits, and marks it as in flight.
func (set *shareSet) takeDone(splits []Split) (acks []ShareAck) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, s := range set.unacked {
		if s.doneAsked || len(s.done) == 0 || !slices.Contains(splits, s.split) {
			continue
		}
		s.doneAsked = true
		n := min(len(s.done), MaxAcknowledge)
		acks = append(acks, ShareAck{
			Split:      s.split,
			Generation: s.generation,
			Offsets:    slices.Clone(s.done[:n]),
			Delete:     set.cfg.DeleteAcknowledged,
		})
	}
	return acks
}

// acknowledged handles the answer to an acknowledgement.
func (set *shareSet) acknowledged(ack ShareAck, answer ShareAcked) {
	set.mu.Lock()
	defer set.mu.Unlock()
	i := slices.IndexFunc(set.unacked, func(s *shareSplit) bool { return s.split == ack.Split && s.doneAsked })
	if i < 0 {
		return
	}
	s := set.unacked[i]
	s.doneAsked = false
	switch {
	case s.generation != ack.Generation: // it began meanwhile
	case errors.Is(answer.Err, ErrStale):
		s.sync(answer.Generation)
	case answer.Err == nil:
		s.done = s.done[len(ack.Offsets):]
		for _, o := range ack.Offsets {
			s.put(o, shareUnknown)
			if s.confirmed != nil {
				s.confirmed[o] = true
			}
		}
		s.forgetBuried()
	}
	if len(s.done) > 0 {
		set.ackable.raise()
	}
	set.wakeReaders()
}
