package splitstest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
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

// plain returns the split of the topic if the topic is not created.
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

// eventually calls try until it succeeds, in the goroutine of the test.
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

// claim claims a split, which must be free, from its first entry.
func (s *scene) claim(member string, ttl time.Duration, split splits.Split) (splits.Lease, splits.Granted) {
	s.Helper()
	granted := s.claimOne(member, ttl, split, splits.Earliest())
	require.NoError(s, granted.Err)
	return splits.Lease{Split: split, Member: member, Epoch: granted.Epoch}, granted
}

// takeOver claims a split as soon as the lease of another member has expired.
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

// requireHeld asserts that the owner holds the split, for more than atLeast and at most atMost.
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

// committed returns the stored position of a split by claiming the split again for its owner.
func (s *scene) committed(lease splits.Lease) splits.Position {
	s.Helper()
	_, granted := s.claim(lease.Member, long, lease.Split)
	return granted.Position
}

// beat beats for a member that knows no plan.
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

// beatAs beats for an incarnation of a static member.
func (s *scene) beatAs(member, owner string, ttl time.Duration) (splits.View, error) {
	return s.group.Beat(s.Context(), splits.Beat{Member: member, Owner: owner, TTL: ttl})
}

func (s *scene) propose(version uint64, assignments map[string][]int) bool {
	s.Helper()
	stored, err := s.group.Propose(s.Context(), splits.Plan{Version: version, Assignments: assignments})
	require.NoError(s, err)
	return stored
}

// requirePlan asserts that the view has this plan.
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

// exactly returns the count as the store reports it: -1 if the store does not count.
func (s *scene) exactly(n int64) int64 {
	if s.NoExactCounts {
		return -1
	}
	return n
}
