//go:build ledger

package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// freezeFor is how long the consumer is frozen: more than three times its session.
	freezeFor = 10 * time.Second
	// slowBatch is the batch_size of the frozen consumer.
	slowBatch = 20
)

// A consumer that is behind, so that its buffers are full, is frozen for much longer than its
// leases last. The other consumer takes over its partitions. When the frozen consumer continues, it
// hands out nothing of what it had buffered, and rejoins.
func TestLedgerPause(t *testing.T) {
	s, _ := newScenario(t)
	s.consume(t, "c1")
	sleeper := s.consume(t, "sleeper", func(c *consumer) { c.BatchSize, c.Work = slowBatch, 60*time.Millisecond })
	s.awaitShares(t, "c1", "sleeper")
	s.generate(t, perSecond)
	buffered := awaitBacklog(t, s, sleeper, 4000)

	stopped := time.Now()
	sleeper.pause(t)
	committed := s.leases(t)
	lost := heldBy(committed, sleeper.name)
	require.NotEmpty(t, lost, "the frozen consumer held no partition")
	s.awaitShares(t, "c1")
	awaitPassed(t, s.consumers[0], lost, stopped)
	<-time.After(time.Until(stopped.Add(freezeFor)))
	s.refresh(t)
	finished := len(sleeper.records)
	resumed := time.Now()
	sleeper.resume(t)
	s.awaitShares(t, "c1", "sleeper")
	back := time.Since(resumed)
	s.awaitReads(t, time.Now(), 2*perSecond)
	sleeper.terminate(t)
	sleeper.join(t, stopWithin)

	a := s.drain(t)
	a.requireOrder(t)
	requireOnlyUncommittedRepeats(t, a, committed, sleeper.name)
	takeover := a.takeover(t, stopped, sleeper.name, lost)
	stale, fresh := sortOut(sleeper.records[finished:], stopped)
	figure(t, "partitions of the frozen consumer", "%d", len(lost))
	figure(t, "its backlog when it was frozen", "%d", buffered)
	figure(
		t,
		"its partitions were read by others after",
		"%s (promised: %s)",
		takeover.Round(time.Millisecond),
		takeoverWithin,
	)
	figure(t, "it held partitions again after", "%s", back.Round(time.Millisecond))
	figure(t, "new messages finished after it continued", "%d", fresh)
	require.LessOrEqual(t, takeover, takeoverWithin)
	require.Positive(t, fresh, "the consumer did not read again")
	for _, l := range lost {
		figure(
			t,
			fmt.Sprintf("old messages of partition %d finished then", l.partition),
			"%d (in the pipeline before: at most %d)",
			stale[l.partition],
			slowBatch,
		)
		require.LessOrEqual(
			t,
			stale[l.partition],
			slowBatch,
			"the consumer handed out buffered messages of partition %d",
			l.partition,
		)
	}
}

// awaitBacklog waits until a consumer is at least enough messages behind, and returns its backlog.
func awaitBacklog(t testing.TB, s *scenario, m *member, enough int64) (backlog int64) {
	t.Helper()
	await(t, waitLimit, m.name+" to fall behind", func() bool {
		s.refresh(t)
		done := map[int]int64{}
		for _, r := range m.records {
			done[r.Partition]++
		}
		backlog = 0
		for _, l := range heldBy(s.leases(t), m.name) {
			length, err := s.client.XLen(t.Context(), s.partitionKey(l.partition)).Result()
			require.NoError(t, err)
			backlog += length - done[l.partition]
		}
		return backlog >= enough
	})
	return backlog
}

// awaitPassed waits until a consumer has finished, in partitions that it took over, all messages
// written before a time.
func awaitPassed(t testing.TB, m *member, taken []lease, moment time.Time) {
	t.Helper()
	behind := map[int]bool{}
	for _, l := range taken {
		behind[l.partition] = true
	}
	await(t, waitLimit, m.name+" to catch up", func() bool {
		for _, r := range m.consumerLedger.refresh(t) {
			if int64(r.offset.Millis) > moment.UnixMilli() {
				delete(behind, r.Partition)
			}
		}
		return len(behind) == 0
	})
}

// sortOut counts what a consumer finished after it was frozen: by partition, messages written
// before the freeze, which it can have had buffered, and messages written since. One batch of each
// partition was in the pipeline and may finish.
func sortOut(records []record, stopped time.Time) (stale map[int]int, fresh int) {
	stale = map[int]int{}
	for _, r := range records {
		if int64(r.offset.Millis) < stopped.UnixMilli() {
			stale[r.Partition]++
		} else {
			fresh++
		}
	}
	return stale, fresh
}
