//go:build ledger

package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// standstill is how long the consumer is frozen: more than three times its session.
	standstill = 10 * time.Second
	// slowBatch is the batch_size of the one that is frozen.
	slowBatch = 20
)

// A consumer that is behind, and so has full buffers, is frozen for much longer than its leases
// last. The other takes its partitions over. When it goes on it hands out nothing of what it had
// buffered, and takes part again.
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
	require.NotEmpty(t, lost, "the sleeper held nothing")
	s.awaitShares(t, "c1")
	awaitPassed(t, s.consumers[0], lost, stopped)
	<-time.After(time.Until(stopped.Add(standstill)))
	s.refresh(t)
	finished := len(sleeper.records)
	resumed := time.Now()
	sleeper.resume(t)
	s.awaitShares(t, "c1", "sleeper")
	back := time.Since(resumed)
	s.awaitReads(t, time.Now(), 2*perSecond)
	sleeper.terminate(t)
	sleeper.join(t, stopWithin)

	a := s.settle(t)
	a.requireOrder(t)
	requireOnlyUncommittedAgain(t, a, committed, sleeper.name)
	takeover := a.takeover(t, stopped, sleeper.name, lost)
	stale, fresh := sortOut(sleeper.records[finished:], stopped)
	figure(t, "partitions of the sleeper", "%d", len(lost))
	figure(t, "messages it was behind when it was frozen", "%d", buffered)
	figure(
		t,
		"its partitions were read elsewhere after",
		"%s (promised: %s)",
		takeover.Round(time.Millisecond),
		takeoverWithin,
	)
	figure(t, "it held partitions again after", "%s", back.Round(time.Millisecond))
	figure(t, "new messages finished after it went on", "%d", fresh)
	require.LessOrEqual(t, takeover, takeoverWithin)
	require.Positive(t, fresh, "the sleeper reads again")
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
			"the sleeper handed out what it had buffered of partition %d",
			l.partition,
		)
	}
}

// awaitBacklog waits until a consumer is so many messages behind, and returns how many.
func awaitBacklog(t testing.TB, s *scenario, m *member, enough int64) (backlog int64) {
	t.Helper()
	await(t, patience, m.name+" to fall behind", func() bool {
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

// awaitPassed waits until a consumer has finished, of partitions that it took over, all that was
// written before a moment.
func awaitPassed(t testing.TB, m *member, taken []lease, moment time.Time) {
	t.Helper()
	behind := map[int]bool{}
	for _, l := range taken {
		behind[l.partition] = true
	}
	await(t, patience, m.name+" to catch up", func() bool {
		for _, r := range m.outBook.refresh(t) {
			if int64(r.offset.Millis) > moment.UnixMilli() {
				delete(behind, r.Partition)
			}
		}
		return len(behind) == 0
	})
}

// sortOut counts what a consumer finished after it had been frozen: by partition what was written
// before, which it may have had buffered, and what was written since. Of each partition one batch
// was in the pipeline, and that one may end as if nothing had happened.
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
