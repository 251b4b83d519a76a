//go:build ledger

package ledger

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// shareLengths is how much happens in TestLedgerShare.
type shareLengths struct {
	perSecond  int
	flow, work time.Duration
}

func readShareLengths(t testing.TB) (l shareLengths) {
	t.Helper()
	l = shareLengths{
		perSecond: numberOf(t, rateEnv, perSecond),
		flow:      lengthOf(t, flowEnv, 6*time.Second), work: lengthOf(t, workEnv, 30*time.Second),
	}
	require.Greater(t, l.work, 2*sessionTimeout, "%s must be much longer than a session", workEnv)
	return l
}

// awayWithin is how long Redis can be away without the end of a session: members beat at least
// every third of a session. A restart takes much less.
const awayWithin = sessionTimeout * 2 / 3

// Four members of a share group compete for the messages of a plain stream, under steady input. One
// is killed, one is frozen for much longer than its session and continues, one leaves, and Redis is
// killed and restarted. Nothing is lost. Other members soon have what the dead members had not
// acknowledged. A fifth member works on one message for many sessions: its messages are not taken
// away. A message is delivered again only if its first reader was killed or frozen.
func TestLedgerShare(t *testing.T) {
	l := readShareLengths(t)
	s, server := newPlainScenario(t)
	s.share(t, "c1")
	victim := s.share(t, "victim", slowSharer)
	sleeper := s.share(t, "sleeper", slowSharer)
	leaver := s.share(t, "leaver")
	busy := s.share(t, "busy", func(c *consumer) {
		c.BatchSize, c.CheckpointLimit, c.Threads, c.FirstWork = 1, 4, 1, l.work
	})
	s.generate(t, l.perSecond)
	await(t, waitLimit, "the busy member to have messages", func() bool { return len(s.pendingOf(t, busy)) > 1 })
	held := s.pendingOf(t, busy)
	s.flow(t, l.perSecond, l.flow/3)

	killed := time.Now()
	victim.kill(t)
	ofVictim := s.unfinishedAt(t, victim)
	s.flow(t, l.perSecond, l.flow/3)
	stopped := time.Now()
	sleeper.pause(t)
	ofSleeper := s.unfinishedAt(t, sleeper)
	<-time.After(time.Until(stopped.Add(freezeFor)))
	resumed := time.Now()
	sleeper.resume(t)
	leaver.terminate(t)
	leaver.join(t, stopWithin)
	killBriefly(t, server)
	s.flow(t, l.perSecond, l.flow/3)
	s.stopProducers(t)
	awaitFirst(t, busy)

	a := s.awaitAndStop(t, s.entered(t))
	a.requireTakenOver(t, ofVictim, victim.name, killed)
	a.requireTakenOver(t, ofSleeper, sleeper.name, stopped)
	a.requireNotTaken(t, busy, held)
	a.requireRepeatsOf(t, victim, sleeper)
	requireDroppedBuffer(t, sleeper, ofSleeper, stopped, resumed)
	s.requireAllAcknowledged(t)
}

// newPlainScenario starts a server that loses nothing when it is killed, and a scenario on a plain
// stream. The operating system has what the server wrote, so it need not be synced to disk.
func newPlainScenario(t testing.TB) (*scenario, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "no")
	return &scenario{
		route: route{
			connection: connection{URL: server.URL(), Kind: "simple"}, Topic: "ledger", Group: "accountants",
		},
		dir: t.TempDir(), client: server.Client(t),
	}, server
}

// share starts a member of a share group.
func (s *scenario) share(t testing.TB, name string, options ...func(*consumer)) *member {
	t.Helper()
	return s.consume(t, name, append([]func(*consumer){func(c *consumer) {
		c.GroupType, c.Threads = "share", partitions
	}}, options...)...)
}

// slowSharer makes a member slow, so that it always has messages that it has not acknowledged.
func slowSharer(c *consumer) { c.BatchSize, c.Threads, c.Work = slowBatch, 2, 60*time.Millisecond }

// flow waits for a while, and until a number of messages was read before and after it.
func (s *scenario) flow(t testing.TB, messages int, lasts time.Duration) {
	t.Helper()
	began := time.Now()
	s.awaitReads(t, began, messages)
	<-time.After(time.Until(began.Add(lasts)))
	s.awaitReads(t, time.Now(), messages)
}

// killBriefly kills the server, and restarts it before any session can end. First it makes the
// server's file short, so that the server reads it in a moment.
func killBriefly(t testing.TB, server *redistest.Server) {
	t.Helper()
	client := server.Client(t)
	require.NoError(t, client.BgRewriteAOF(t.Context()).Err())
	await(t, waitLimit, "the append-only file to be short", func() bool {
		info, err := client.Info(t.Context(), "persistence").Result()
		require.NoError(t, err)
		return strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0")
	})
	killed := time.Now()
	server.Kill(t)
	server.Restart(t)
	away := time.Since(killed)
	figure(t, "Redis was away for", "%s", away.Round(time.Millisecond))
	require.Less(t, away, awayWithin, "the machine is too busy for this test: sessions may have ended")
}

// awaitFirst waits until a member has finished its first message, and checks that it worked on it as
// long as it should.
func awaitFirst(t testing.TB, m *member) {
	t.Helper()
	await(t, m.FirstWork+waitLimit, m.name+" to finish a message", func() bool {
		m.consumerLedger.refresh(t)
		return len(m.records) > 0
	})
	worked := time.Since(m.records[0].read())
	figure(t, m.name+" worked on one message for", "%s", worked.Round(time.Second))
	require.GreaterOrEqual(t, worked, m.FirstWork)
}

// pendingOf returns the entries that are pending at a member.
func (s *scenario) pendingOf(t testing.TB, m *member) map[place]bool {
	t.Helper()
	found, err := s.pendingAt(t.Context(), s.Group, m.name)
	require.NoError(t, err)
	return found
}

// unfinishedAt returns the entries that are pending at a member that has been stopped, except the
// ones that the member has finished: their acknowledgement can be on its way.
func (s *scenario) unfinishedAt(t testing.TB, m *member) map[place]bool {
	t.Helper()
	found := s.pendingOf(t, m)
	m.consumerLedger.refresh(t)
	for _, r := range m.records {
		delete(found, r.place())
	}
	return found
}

// requireAllAcknowledged checks that the group has read the whole plain stream and that nothing is
// pending. Redis 7.0 does not know the lag after a restart.
func (s *scenario) requireAllAcknowledged(t testing.TB) {
	t.Helper()
	group := s.nativeGroup(t, s.Topic)
	info, err := s.client.XInfoStream(t.Context(), s.Topic).Result()
	require.NoError(t, err)
	require.Zero(t, group.Pending, "entries that are pending at the end: %+v", group)
	require.Equal(t, info.LastGeneratedID, group.LastDeliveredID, "entries that were not read: %+v", group)
}

// requireTakenOver checks that other members read the pending messages of a former one in time.
func (a *deliveries) requireTakenOver(t testing.TB, pending map[place]bool, former string, gone time.Time) {
	t.Helper()
	require.NotEmpty(t, pending, "%s had no pending messages", former)
	open := maps.Clone(pending)
	var longest time.Duration
	for _, r := range a.since(gone) {
		if open[r.place()] && r.by != former {
			delete(open, r.place())
			longest = r.read().Sub(gone)
		}
	}
	figure(t, "messages pending at the "+former, "%d", len(pending))
	figure(t, "all of them read by others after", "%s (promised: %s)", longest.Round(time.Millisecond), takeoverWithin)
	require.Empty(t, open, "messages of %s that no other member has read", former)
	require.LessOrEqual(t, longest, takeoverWithin)
}

// requireNotTaken checks that a member, and no other, has read everything that it held.
func (a *deliveries) requireNotTaken(t testing.TB, holder *member, held map[place]bool) {
	t.Helper()
	require.NotEmpty(t, held, "%s held nothing while it worked", holder.name)
	unread := maps.Clone(held)
	for _, r := range holder.records {
		delete(unread, r.place())
		held[r.place()] = true
	}
	require.Empty(t, unread, "held by %s and not read", holder.name)
	for _, r := range a.records {
		require.False(t, held[r.place()] && r.by != holder.name, "taken away from %s: %s", holder.name, r)
	}
}

// requireRepeatsOf checks that every message that was read again had been read before by a consumer
// that was killed or frozen, or is of the one batch that a frozen consumer had taken and not stamped.
func (a *deliveries) requireRepeatsOf(t testing.TB, disturbed ...*member) {
	t.Helper()
	batch := map[string]int{} // how many messages each of them can read late
	for _, m := range disturbed {
		batch[m.name] = m.BatchSize
	}
	hit := func(by string) bool { _, is := batch[by]; return is }
	readers := map[int64][]string{}
	for _, r := range a.records {
		before := readers[r.Line]
		readers[r.Line] = append(before, r.by)
		if len(before) == 0 || slices.ContainsFunc(before, hit) {
			continue
		}
		batch[r.by]--
		require.True(t, hit(r.by) && batch[r.by] >= 0, "read again although its readers %v were well: %s", before, r)
	}
}

// requireDroppedBuffer checks that a member that continued after its session handed out nothing of
// what it had read before, and that it reads again. One batch was taken and not stamped.
func requireDroppedBuffer(t testing.TB, m *member, before map[place]bool, stopped, resumed time.Time) {
	t.Helper()
	var stale, fresh int
	for _, r := range m.records {
		switch {
		case r.read().Before(resumed):
		case before[r.place()]:
			stale++
		case r.written().After(stopped):
			fresh++
		}
	}
	figure(t, "old messages that the "+m.name+" read then", "%d (at most %d)", stale, m.BatchSize)
	figure(t, "new messages that the "+m.name+" read then", "%d", fresh)
	require.LessOrEqual(t, stale, m.BatchSize, "%s handed out buffered messages", m.name)
	require.Positive(t, fresh, "%s did not read again", m.name)
}
