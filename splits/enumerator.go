package splits

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// enumerator maintains the membership and the plan: it beats, discovers the splits of the topic,
// proposes a plan when the group has changed, and passes the assignment of this member to the
// claimer.
type enumerator struct {
	cfg           Config
	health        *health
	setAssignment func(assignment)
	wake          signal
	beaten        signal      // raised by every beat that succeeded
	joined        atomic.Bool // a beat has succeeded

	plan Plan // the newest known plan; belongs to the goroutine of run
}

func newEnumerator(cfg Config, h *health, follow func(assignment)) *enumerator {
	return &enumerator{cfg: cfg, health: h, setAssignment: follow, wake: newSignal(), beaten: newSignal()}
}

// joinedGroup reports whether a beat has succeeded.
func (e *enumerator) joinedGroup() bool { return e.joined.Load() }

// beatGap is the shortest time between beats that hints caused: hints often come in bursts.
const beatGap = 5 * time.Millisecond

// run beats until stop ends. Its calls end with calls.
func (e *enumerator) run(stop, calls context.Context) {
	backoff := e.cfg.Backoff()
	for stop.Err() == nil {
		next, err := e.step(calls)
		if err != nil {
			e.health.fail(task{kind: taskHeartbeat}, err)
			// One beat per heartbeat interval is a small load, and with every missed beat the end
			// of the membership comes nearer.
			_ = sleepOr(stop, min(backoff.NextBackOff(), e.cfg.Heartbeat), e.wake)
			continue
		}
		backoff.Reset()
		e.health.ok(task{kind: taskHeartbeat})
		e.beaten.raise()
		if sleepOr(stop, beatGap, nil) == nil {
			_ = sleepOr(stop, next, e.wake)
		}
	}
}

// step beats once, and proposes a plan if the group has none for its version. It returns the time
// until the next beat.
func (e *enumerator) step(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Heartbeat)
	defer cancel()
	beat := Beat{Member: e.cfg.Member, TTL: e.cfg.TTL, Planned: e.plan.Version, Rejoin: e.joined.Load()}
	if e.cfg.static() {
		beat.Owner = e.cfg.Owner
	}
	view, err := e.cfg.Group.Beat(ctx, beat)
	if superseded, ok := errors.AsType[*SupersededError](err); ok {
		e.standBy(superseded)
		return e.cfg.Heartbeat, nil
	}
	if err != nil {
		return 0, err
	}
	e.joined.Store(true)
	e.health.ok(task{taskMember, e.cfg.Member})
	if view.Plan != nil {
		e.plan = *view.Plan
	}
	e.setAssignment(e.assignmentOf(view)) // whether or not the proposal succeeds
	if view.Version != view.Planned {
		if err := e.propose(ctx, view); err != nil {
			return 0, err
		}
		e.setAssignment(e.assignmentOf(view))
	}
	// A member that died is detected by the first beat after its deadline. The jitter keeps the
	// members from beating at the same moment.
	jitter := rand.N(e.cfg.Heartbeat/20 + 1)
	return min(e.cfg.Heartbeat, max(view.Next, 0)+jitter), nil
}

// standBy gives up all splits, since a later incarnation of the member is alive. The beats
// continue: they change nothing, and show when the session of the later incarnation has ended.
func (e *enumerator) standBy(err *SupersededError) {
	e.plan = Plan{}
	err.Remedy = e.cfg.Remedies.Superseded
	e.health.fail(task{taskMember, e.cfg.Member}, err)
	e.setAssignment(assignment{standBy: true})
}

// propose proposes a plan for the group as the beat returned it. If the group has changed since,
// the next beat returns the stored plan.
func (e *enumerator) propose(ctx context.Context, view View) error {
	plan := Plan{Version: view.Version, Assignments: Assign(view.Members, len(view.Splits), e.plan.Assignments)}
	stored, err := e.cfg.Group.Propose(ctx, plan)
	switch {
	case err != nil:
		return err
	case stored:
		e.plan = plan
	default:
		e.wake.raise()
	}
	return nil
}

// assignmentOf returns the existing splits that the newest plan assigns to this member.
func (e *enumerator) assignmentOf(view View) assignment {
	a := assignment{version: e.plan.Version, initial: view.Initial}
	for _, p := range e.plan.Assignments[e.cfg.Member] {
		if p >= 0 && p < len(view.Splits) {
			a.splits = append(a.splits, view.Splits[p])
		}
	}
	return a
}
