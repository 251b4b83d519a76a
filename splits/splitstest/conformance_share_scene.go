package splitstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// ShareHarness connects the suite of share groups with an implementation. Its functions fail the
// test if they cannot do their work.
type ShareHarness struct {
	// Topic returns the name of a topic that the store does not know.
	Topic func() string
	// Group and Shares return the implementations under test, for the same group of a topic. Each
	// belongs to another process.
	Group  func(topic, group string) splits.ShareGroup
	Shares func(topic, group string) splits.Shares
	// Consumers returns the membership of a consumer group of the topic.
	Consumers func(topic, group string) splits.Group

	// The following functions are the same as in Harness. AppendAt adds an entry with an offset,
	// which must be behind all others, and returns it.
	SetPartitions func(topic string, partitions int)
	Append        func(split splits.Split, fields ...string) splits.Offset
	AppendAt      func(split splits.Split, at splits.Offset) splits.Offset
	TrimTo        func(split splits.Split, length int)
	Drop          func(split splits.Split)
	SetWrongType  func(split splits.Split)
	Flush         func(topic string)
	Pass          func(d time.Duration)

	// DeliverForeign delivers new entries to a consumer of another program that reads with the
	// group.
	DeliverForeign func(group string, split splits.Split, consumer string, count int) []splits.Offset
	// CreateNative adds a consumer group of another program to the stream of a split.
	CreateNative func(group string, split splits.Split)
	// DropRegistry removes the names of the groups of a topic, as an eviction of that key does.
	DropRegistry func(topic string)
	// Destroy removes the group from the stream of a split (XGROUP DESTROY).
	Destroy func(group string, split splits.Split)
	// DropMembers removes the members of a group, as an eviction of their key does.
	DropMembers func(topic, group string)
	// DropMark removes everything that the store keeps of the group in a split, except the group in
	// the stream, as an eviction of its key does.
	DropMark func(group string, split splits.Split)
	// NoLag is set for stores that do not report the lag of a group correctly.
	NoLag bool
}

// shareScene is one topic and one share group on a store.
type shareScene struct {
	*testing.T
	ShareHarness
	topic  string
	group  splits.ShareGroup
	shares splits.Shares
}

// ShareCase is one test of the suite of share groups.
type ShareCase struct {
	Name string
	Run  func(t *testing.T, h ShareHarness)
}

// ShareCases returns the suite of share groups, like Cases.
func ShareCases() []ShareCase {
	var all []ShareCase
	parts := [][]shareScenario{
		shareGroupScenarios, shareEntryScenarios, shareTakeScenarios, shareFailingScenarios, shareDeleteScenarios,
		shareSuspectScenarios,
	}
	for _, part := range parts {
		for _, c := range part {
			all = append(
				all,
				ShareCase{Name: c.name, Run: func(t *testing.T, h ShareHarness) { c.run(newShareScene(t, h)) }},
			)
		}
	}
	return all
}

// TestShares runs the suite of share groups, its cases in parallel, against the implementations
// that open returns.
func TestShares(t *testing.T, open func(t *testing.T) ShareHarness) {
	for _, c := range ShareCases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Run(t, open(t))
		})
	}
}

type shareScenario struct {
	name string
	run  func(s *shareScene)
}

func newShareScene(t *testing.T, h ShareHarness) *shareScene {
	s := &shareScene{T: t, ShareHarness: h, topic: h.Topic()}
	s.group, s.shares = h.Group(s.topic, theGroup), h.Shares(s.topic, theGroup)
	return s
}

// plain returns the split of the topic if the topic is not created.
func (s *shareScene) plain() splits.Split { return splits.Split{Topic: s.topic, Key: s.topic} }

// fill appends n entries and returns their offsets.
func (s *shareScene) fill(split splits.Split, n int) []splits.Offset {
	s.Helper()
	offsets := make([]splits.Offset, n)
	for i := range offsets {
		offsets[i] = s.Append(split, "body", "hello")
	}
	return offsets
}

// eventually calls try until it succeeds, in the goroutine of the test.
func (s *shareScene) eventually(what string, try func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !try(); {
		require.True(s, time.Now().Before(deadline), "%s: waited in vain", what)
		s.pass(20 * time.Millisecond)
	}
}

func (s *shareScene) pass(d time.Duration) {
	if s.Pass != nil {
		s.Pass(d)
		return
	}
	time.Sleep(d)
}

func (s *shareScene) beat(b splits.ShareBeat) splits.ShareView {
	s.Helper()
	view, err := s.group.Beat(s.Context(), b)
	require.NoError(s, err)
	return view
}

// join beats for the first time.
func (s *shareScene) join(member string) splits.ShareView {
	s.Helper()
	return s.beat(splits.ShareBeat{Member: member, TTL: long})
}

func (s *shareScene) tryOpen(split splits.Split, start splits.Start) splits.ShareOpened {
	s.Helper()
	answers := s.shares.Open(s.Context(), []splits.ShareOpen{{Split: split, Start: start}})
	require.Len(s, answers, 1)
	return answers[0]
}

// open opens a split whose stream exists, and returns its generation.
func (s *shareScene) open(split splits.Split, start splits.Start) uint64 {
	s.Helper()
	opened := s.tryOpen(split, start)
	require.NoError(s, opened.Err)
	require.True(s, opened.Exists)
	return opened.Generation
}

func (s *shareScene) tryRead(member string, count int, of ...splits.Split) []splits.Delivered {
	s.Helper()
	delivered, err := s.shares.Read(s.Context(), splits.ShareRead{Member: member, Splits: of, Count: count})
	require.NoError(s, err)
	require.Len(s, delivered, len(of))
	return delivered
}

// read returns the offsets that a read of one split delivers.
func (s *shareScene) read(member string, count int, split splits.Split) []splits.Offset {
	s.Helper()
	delivered := s.tryRead(member, count, split)[0]
	require.NoError(s, delivered.Err)
	return entryOffsets(delivered.Entries)
}

func entryOffsets(entries []splits.Entry) (all []splits.Offset) {
	for _, e := range entries {
		all = append(all, e.Offset)
	}
	return all
}

func (s *shareScene) acknowledge(split splits.Split, generation uint64, offsets ...splits.Offset) splits.ShareAcked {
	s.Helper()
	ack := splits.ShareAck{Split: split, Generation: generation, Offsets: offsets}
	answers := s.shares.Acknowledge(s.Context(), []splits.ShareAck{ack})
	require.Len(s, answers, 1)
	return answers[0]
}

// pending returns what is pending at a name in one split.
func (s *shareScene) pending(member string, split splits.Split) []splits.Offset {
	s.Helper()
	held := s.shares.Pending(
		s.Context(),
		splits.SharePending{Member: member, Splits: []splits.Split{split}, Most: 10000},
	)
	require.Len(s, held, 1)
	require.NoError(s, held[0].Err)
	return held[0].Offsets
}

// holders returns the number of entries that are pending at each name.
func (s *shareScene) holders(split splits.Split) map[string]int {
	s.Helper()
	answers := s.shares.Holders(s.Context(), []splits.Split{split})
	require.Len(s, answers, 1)
	require.NoError(s, answers[0].Err)
	all := map[string]int{}
	for _, h := range answers[0].Holders {
		all[h.Member] = h.Pending
	}
	return all
}

func (s *shareScene) take(split splits.Split, from, to string, most int) splits.ShareTaken {
	s.Helper()
	taken, err := s.shares.Take(s.Context(), splits.ShareTake{Split: split, From: from, To: to, Most: most})
	require.NoError(s, err)
	return taken
}

// takeIdle takes over entries of other programs for the member b.
func (s *shareScene) takeIdle(split splits.Split, idle time.Duration, most int) splits.ShareTaken {
	s.Helper()
	request := splits.ShareTakeIdle{Split: split, To: "b", Idle: idle, Most: most}
	taken, err := s.shares.TakeIdle(s.Context(), request)
	require.NoError(s, err)
	return taken
}
