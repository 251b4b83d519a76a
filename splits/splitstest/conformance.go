package splitstest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// Harness is what the conformance suite needs of an implementation. Its functions fail the test
// themselves if they cannot do their work. Partition i of a topic T that was created is the stream
// T:i, that of a plain topic is T.
type Harness struct {
	// Topic returns the name of a topic that the store knows nothing of.
	Topic func() string
	// Group, Leases and Log return the implementations under test. Every Group stands for another
	// process.
	Group   func(topic, group string) splits.Group
	Leases  func(topic, group string) splits.Leases
	Streams func(topic string) splits.Streams

	// SetPartitions creates the topic, or grows it.
	SetPartitions func(topic string, partitions int)
	// Append adds an entry and returns its offset.
	Append func(split splits.Split, fields ...string) splits.Offset
	// TrimTo removes the oldest entries until exactly length are left (XTRIM MAXLEN), Delete one
	// entry (XDEL), Drop the whole stream (DEL).
	TrimTo func(split splits.Split, length int)
	Delete func(split splits.Split, offset splits.Offset)
	Drop   func(split splits.Split)
	// Spoil puts a value of another type in the place of the split's stream.
	SetWrongType func(split splits.Split)
	// Forget removes all that the store holds for the topic and its groups, as FLUSHALL does.
	Flush func(topic string)

	// Mirror returns the position of the native consumer group that follows the group's commits,
	// and whether there is one. It is nil for stores without a mirror.
	Mirror func(group string, split splits.Split) (splits.Position, bool)
	// DropLease removes the lease and the position of one split, as an eviction of their key does.
	// Only stores with a mirror need it.
	DropLease func(group string, split splits.Split)
	// NoExactCounts is set for stores that cannot tell how many entries were ever added or which
	// were deleted: they answer that they do not know.
	NoExactCounts bool
	// Pass lets time pass; nil stands for time.Sleep.
	Pass func(d time.Duration)
}

// Case is one test of the conformance suite.
type Case struct {
	Name string
	Run  func(t *testing.T, h Harness)
}

// Cases returns the conformance suite. Each case needs a Harness of its own; none starts subtests,
// so that they may run in a bubble of testing/synctest.
func Cases() []Case {
	var all []Case
	parts := [][]scenario{
		leaseScenarios,
		fenceScenarios,
		startScenarios,
		groupScenarios,
		instanceScenarios,
		planScenarios,
		topicScenarios,
		logScenarios,
		stateScenarios,
		countScenarios,
	}
	for _, part := range parts {
		for _, c := range part {
			all = append(all, Case{Name: c.name, Run: func(t *testing.T, h Harness) { c.run(newScene(t, h)) }})
		}
	}
	return all
}

// TestStore runs the conformance suite, its cases in parallel, against the implementations that
// open returns. Every sentence about them in the comments of splits.Group, splits.Leases and
// splits.Log has a case.
func TestStore(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Run(t, open(t))
		})
	}
}

type scenario struct {
	name string
	run  func(s *scene)
}

// The times to live of the suite. No case depends on long ones ending or on short ones lasting, so
// a slow machine disturbs none.
const (
	long  = time.Minute
	short = 150 * time.Millisecond
)

// scene is one topic and one group on a store.
type scene struct {
	*testing.T
	Harness
	topic  string
	group  splits.Group
	leases splits.Leases
	log    splits.Streams
}

const theGroup = "group"

func newScene(t *testing.T, h Harness) *scene {
	s := &scene{T: t, Harness: h, topic: h.Topic()}
	s.group, s.leases, s.log = h.Group(s.topic, theGroup), h.Leases(s.topic, theGroup), h.Streams(s.topic)
	return s
}

// plain returns the split of the topic if it is not created.
func (s *scene) plain() splits.Split { return splits.Split{Topic: s.topic, Key: s.topic} }

// create creates the topic and returns its splits.
func (s *scene) create(partitions int) []splits.Split {
	s.Helper()
	s.SetPartitions(s.topic, partitions)
	return splitsOf(s.topic, partitions)
}

// fill appends n entries and returns their offsets.
func (s *scene) fill(split splits.Split, n int) []splits.Offset {
	s.Helper()
	offsets := make([]splits.Offset, n)
	for i := range offsets {
		offsets[i] = s.Append(split, "body", "hello")
	}
	return offsets
}

func (s *scene) pass(d time.Duration) {
	if s.Pass != nil {
		s.Pass(d)
		return
	}
	time.Sleep(d)
}

// eventually tries until it succeeds, in the test's own goroutine.
func (s *scene) eventually(what string, try func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !try(); {
		require.True(s, time.Now().Before(deadline), "%s: waited in vain", what)
		s.pass(20 * time.Millisecond)
	}
}

// claimOne claims one split.
func (s *scene) claimOne(member string, ttl time.Duration, split splits.Split, start splits.Start) splits.Granted {
	s.Helper()
	granted := s.leases.Claim(s.Context(), member, ttl, []splits.Claim{{Split: split, Start: start}})
	require.Len(s, granted, 1)
	return granted[0]
}

// claim claims a split that must be free, from its beginning.
func (s *scene) claim(member string, ttl time.Duration, split splits.Split) (splits.Lease, splits.Granted) {
	s.Helper()
	granted := s.claimOne(member, ttl, split, splits.Earliest())
	require.NoError(s, granted.Err)
	return splits.Lease{Split: split, Member: member, Epoch: granted.Epoch}, granted
}

// takeOver claims a split as soon as the lease of another has expired.
func (s *scene) takeOver(member string, ttl time.Duration, split splits.Split) (splits.Lease, splits.Granted) {
	s.Helper()
	var granted splits.Granted
	s.eventually("taking over "+split.ID(), func() bool {
		granted = s.claimOne(member, ttl, split, splits.Earliest())
		if granted.Err != nil {
			var held *splits.HeldError
			require.ErrorAs(s, granted.Err, &held)
		}
		return granted.Err == nil
	})
	return splits.Lease{Split: split, Member: member, Epoch: granted.Epoch}, granted
}

// requireHeld asserts that the split is held by the owner, for more than atLeast and at most
// atMost.
func (s *scene) requireHeld(split splits.Split, owner string, atLeast, atMost time.Duration) {
	s.Helper()
	granted := s.claimOne("somebody-else", long, split, splits.Earliest())
	var held *splits.HeldError
	require.ErrorAs(s, granted.Err, &held)
	assert.Equal(s, owner, held.Owner)
	assert.Greater(s, held.Remaining, atLeast)
	assert.LessOrEqual(s, held.Remaining, atMost)
}

func (s *scene) commit(ttl time.Duration, lease splits.Lease, position splits.Position) error {
	s.Helper()
	return s.single(
		s.leases.Commit(
			s.Context(),
			ttl,
			[]splits.Commit{{Lease: lease, Position: position, Accounted: position.EntriesRead}},
		),
	)
}

func (s *scene) renew(ttl time.Duration, lease splits.Lease) error {
	s.Helper()
	return s.single(s.leases.Renew(s.Context(), ttl, []splits.Lease{lease}))
}

func (s *scene) reset(ttl time.Duration, lease splits.Lease, position splits.Position) error {
	return s.leases.Reset(s.Context(), ttl, splits.Commit{Lease: lease, Position: position})
}

func (s *scene) release(lease splits.Lease) error {
	s.Helper()
	return s.single(s.leases.Release(s.Context(), []splits.Lease{lease}))
}

func (s *scene) single(errs []error) error {
	s.Helper()
	require.Len(s, errs, 1)
	return errs[0]
}

// committed reads the stored position of a split by claiming it again for the member that holds it.
func (s *scene) committed(lease splits.Lease) splits.Position {
	s.Helper()
	_, granted := s.claim(lease.Member, long, lease.Split)
	return granted.Position
}

// beat is a heartbeat of a member that knows no plan.
func (s *scene) beat(member string, ttl time.Duration) splits.View {
	s.Helper()
	return s.beatIn(s.group, splits.Beat{Member: member, TTL: ttl})
}

func (s *scene) beatIn(group splits.Group, b splits.Beat) splits.View {
	s.Helper()
	view, err := group.Beat(s.Context(), b)
	require.NoError(s, err)
	return view
}

// beatAs is a heartbeat of an incarnation of a static member.
func (s *scene) beatAs(member, owner string, ttl time.Duration) (splits.View, error) {
	return s.group.Beat(s.Context(), splits.Beat{Member: member, Owner: owner, TTL: ttl})
}

func (s *scene) propose(version uint64, assignments map[string][]int) bool {
	s.Helper()
	stored, err := s.group.Propose(s.Context(), splits.Plan{Version: version, Assignments: assignments})
	require.NoError(s, err)
	return stored
}

// requirePlan asserts that the view carries this plan.
func (s *scene) requirePlan(view splits.View, version uint64, assignments map[string][]int) {
	s.Helper()
	require.NotNil(s, view.Plan)
	assert.Equal(s, version, view.Plan.Version)
	assert.Len(s, view.Plan.Assignments, len(assignments))
	for member, partitions := range assignments {
		got, listed := view.Plan.Assignments[member]
		assert.True(s, listed, "%q is missing", member)
		assert.True(s, slices.Equal(partitions, got), "%q: want %v, got %v", member, partitions, got)
	}
}

func (s *scene) fetch(req splits.FetchRequest) []splits.Fetched {
	s.Helper()
	fetched, err := s.log.Fetch(s.Context(), req)
	require.NoError(s, err)
	require.Len(s, fetched, len(req.Cursors))
	return fetched
}

func (s *scene) state(of ...splits.Split) []splits.State {
	s.Helper()
	states, err := s.log.State(s.Context(), of)
	require.NoError(s, err)
	require.Len(s, states, len(of))
	return states
}

// exactly returns the count as a store reports it: those that do not count answer -1.
func (s *scene) exactly(n int64) int64 {
	if s.NoExactCounts {
		return -1
	}
	return n
}

// subscription is a Wake that runs.
type subscription struct {
	scene *scene
	hints chan struct{}
	end   context.CancelFunc
	ended chan error
}

// subscribe starts a subscription to the group.
func (s *scene) subscribe() *subscription {
	ctx, end := context.WithCancel(s.Context())
	w := &subscription{scene: s, hints: make(chan struct{}, 1), end: end, ended: make(chan error, 1)}
	go func() { w.ended <- s.group.Wake(ctx, func() { notify(w.hints) }) }() // stop ends it
	return w
}

// wake subscribes to the group and returns once hints of changes arrive.
func (s *scene) wake() *subscription {
	s.Helper()
	w := s.subscribe()
	s.eventually("the hint of subscribing", w.hinted)
	return w
}

// hinted takes a hint if there is one.
func (w *subscription) hinted() bool {
	select {
	case <-w.hints:
		return true
	default:
		return false
	}
}

// requireHint asserts that doing something is followed by a hint.
func (w *subscription) requireHint(what string, do func()) {
	w.scene.Helper()
	w.scene.pass(50 * time.Millisecond)
	for w.hinted() { // of what happened before
		w.scene.pass(50 * time.Millisecond)
	}
	do()
	w.scene.eventually("a hint after "+what, w.hinted)
}

// stop ends the subscription and asserts that it does end.
func (w *subscription) stop() {
	w.scene.Helper()
	w.end()
	select {
	case err := <-w.ended:
		assert.Error(w.scene, err)
	case <-time.After(10 * time.Second):
		w.scene.Fatal("Wake does not return when its context ends")
	}
}
