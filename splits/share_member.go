package splits

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// shareMember maintains the membership of a share group: it joins, beats, and joins again under a
// new name when its session has ended. It knows which other members are alive.
type shareMember struct {
	cfg    ShareConfig
	health *health
	set    *shareSet
	wake   signal
	beaten signal // raised by every beat that succeeded
	// onChange is called when the members have changed. It must not block.
	onChange func()

	// The following fields belong to the goroutine of run.
	name    ShareName
	named   bool      // name is set
	namedAt time.Time // when it was
	listed  bool      // a beat under name has succeeded
	version uint64

	mu       sync.Mutex
	joined   bool // a beat has succeeded, under any name
	liveness *shareLiveness
	begun    int           // number of beats that were begun
	answered int           // the last beat that was answered
	changed  chan struct{} // closed and replaced when a beat was answered
}

func newShareMember(cfg ShareConfig, h *health, set *shareSet) *shareMember {
	return &shareMember{
		cfg: cfg, health: h, set: set, wake: newSignal(), beaten: newSignal(), onChange: func() {},
		liveness: newShareLiveness(cfg.TTL), changed: make(chan struct{}),
	}
}

// joinedGroup reports whether a beat has succeeded.
func (m *shareMember) joinedGroup() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.joined
}

// run beats until stop ends. Its calls end with calls.
func (m *shareMember) run(stop, calls context.Context) {
	backoff := m.cfg.Backoff()
	for stop.Err() == nil {
		next, err := m.step(calls)
		if err != nil {
			m.health.fail(task{kind: taskHeartbeat}, err)
			// With every missed beat the end of the session comes nearer.
			_ = sleepOr(stop, min(backoff.NextBackOff(), m.cfg.Heartbeat), m.wake)
			continue
		}
		backoff.Reset()
		m.health.ok(task{kind: taskHeartbeat})
		m.beaten.raise()
		if sleepOr(stop, beatGap, nil) == nil {
			_ = sleepOr(stop, next, m.wake)
		}
	}
}

// step beats once. It returns the time until the next beat.
func (m *shareMember) step(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Heartbeat)
	defer cancel()
	if err := m.rename(ctx); err != nil {
		return 0, err
	}
	beat := ShareBeat{
		Member: m.name.Member, Owner: m.name.Owner, TTL: m.cfg.TTL,
		Known: m.version, Continues: m.listed, Rejoin: m.joinedGroup(),
	}
	n, sent := m.beginBeat(), m.cfg.Now()
	view, err := m.cfg.Group.Beat(ctx, beat)
	if superseded, ok := errors.AsType[*SupersededError](err); ok {
		m.standBy(superseded)
		return m.cfg.Heartbeat, nil
	}
	if errors.Is(err, ErrGone) {
		m.gone()
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	m.accept(view, n, sent)
	// The jitter keeps the members from beating at the same moment.
	jitter := rand.N(m.cfg.Heartbeat/20 + 1)
	return min(m.cfg.Heartbeat, max(view.Next, 0)+jitter), nil
}

// rename takes a new name if the member has none. A first beat whose answer was lost may have been
// applied. So after half a session without an answer the name is given up: the session of its first
// beat may end, and a name must not come back.
func (m *shareMember) rename(ctx context.Context) error {
	now := m.cfg.Now()
	if m.named && (m.listed || now.Sub(m.namedAt) < m.cfg.TTL/2) {
		return nil
	}
	name, err := m.cfg.NewName(ctx)
	if err != nil {
		return err
	}
	m.name, m.named, m.namedAt, m.listed, m.version = name, true, now, false, 0
	return nil
}

// accept handles the answer to a beat.
func (m *shareMember) accept(view ShareView, n int, sent time.Time) {
	changed := view.Version != m.version
	m.listed, m.version = true, view.Version
	m.health.ok(task{taskMember, m.name.Member})
	m.set.join(m.name.holder(), trustedUntil(sent, m.cfg.TTL), view)
	m.mu.Lock()
	m.liveness.observe(view, changed, sent)
	m.joined, m.answered = true, n
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
	if changed {
		m.onChange()
	}
}

// gone notes that the session has ended. The next beat joins under a new name.
func (m *shareMember) gone() {
	m.set.leave()
	m.named = false
	m.mu.Lock()
	m.liveness.forget()
	m.mu.Unlock()
}

// standBy gives up everything, since a later incarnation of the member is alive. The beats
// continue: they change nothing, and show when the session of the later incarnation has ended.
func (m *shareMember) standBy(err *SupersededError) {
	m.set.leave()
	m.listed = true // this name never joins again
	m.mu.Lock()
	m.liveness.forget()
	m.mu.Unlock()
	err.Remedy = m.cfg.Remedies.Superseded
	m.health.fail(task{taskMember, m.name.Member}, err)
}

// beginBeat counts a beat that is about to be sent.
func (m *shareMember) beginBeat() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun++
	return m.begun
}

// awaitBeat waits for the answer to a beat that is sent after the call, at most for a heartbeat. It
// reports whether there was one.
func (m *shareMember) awaitBeat(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Heartbeat)
	defer cancel()
	m.mu.Lock()
	after := m.begun
	m.mu.Unlock()
	m.wake.raise()
	for {
		m.mu.Lock()
		answered, changed := m.answered, m.changed
		m.mu.Unlock()
		if answered > after {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// suspicious reports whether a name might belong to a dead member: a beat that is sent now decides.
func (m *shareMember) suspicious(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.liveness.suspicious(name)
}

// dead reports whether the member with a name is dead, by the latest answer.
func (m *shareMember) dead(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.liveness.dead(name)
}

// leave removes the member from the group, unless it is static. The loop of run has ended.
func (m *shareMember) leave(ctx context.Context) error {
	if !m.named || m.name.Owner != "" {
		return nil
	}
	return m.cfg.Group.Leave(ctx, m.name.Member)
}
