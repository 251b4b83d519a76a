package splits

import (
	"context"
	"time"
)

// adopter reads the pending entries of splits that are being adopted from foreign groups, see
// Adoptions. It is a goroutine of its own. Each node reads at most one page at a time.
type adopter struct {
	cfg    Config
	set    *splitSet
	health *health

	calls nodeCalls[struct{}] // belongs to the goroutine of run
}

// idleAdopter is how long the adopter sleeps if there is nothing to read and it is not woken.
const idleAdopter = time.Minute

func newAdopter(cfg Config, set *splitSet, h *health) *adopter {
	return &adopter{cfg: cfg, set: set, health: h, calls: newNodeCalls[struct{}]()}
}

// run works until stop ends. Its calls end with calls.
func (a *adopter) run(stop, calls context.Context) {
	for {
		timer := time.NewTimer(a.step(calls))
		select {
		case <-stop.Done():
			timer.Stop()
			a.calls.wait(func(completion[struct{}]) {})
			return
		case end := <-a.calls.done:
			a.calls.free(end)
		case <-a.set.pagesWanted:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step starts to read a page on every node that is not busy, and returns when to look again.
func (a *adopter) step(ctx context.Context) time.Duration {
	due, wait := a.set.nextPages()
	for node, pages := range groupByNode(a.cfg.Node, due, pendingRead.on) {
		if a.calls.busy[node] {
			continue // run looks again when its call ends
		}
		page := pages[0] // from a map: of another split each time
		a.set.beginPage(page)
		a.calls.start(node, func() struct{} {
			a.read(ctx, page)
			return struct{}{}
		})
	}
	return wait
}

// read reads one page.
func (a *adopter) read(ctx context.Context, r pendingRead) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.FetchWithin)
	defer cancel()
	page, err := a.cfg.Adoptions.Pending(ctx, r.req)
	gone := a.set.addPage(r, page, err)
	if err != nil {
		a.health.fail(task{taskAdopt, r.req.Split.Key}, err)
		if !a.set.isAdopting(r.split) { // no later page would end the failure
			a.health.ok(task{taskAdopt, r.req.Split.Key})
		}
		return
	}
	a.health.ok(task{taskAdopt, r.req.Split.Key})
	if gone != nil {
		a.cfg.Observer.Lost([]Loss{*gone})
	}
}
