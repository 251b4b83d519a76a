//go:build ledger

package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// durablePerSecond is a pace that a server keeps up with that syncs each write to its disk.
	durablePerSecond = 2000
	// impatience is how long this test's producer waits for an answer.
	impatience = 500 * time.Millisecond
)

// Redis is killed and restarted twice under steady input, once for less than a session and once for
// much more, and once it stands still for longer than the producer waits: then it works off what it
// was sent, and nobody gets the answers. Nothing that was acknowledged is lost, nothing is written
// twice, and both sides go on by themselves.
func TestLedgerRedisRestart(t *testing.T) {
	s, server := newScenario(t, "--appendonly", "yes", "--appendfsync", "always")
	s.consume(t, "c1")
	s.consume(t, "c2")
	s.awaitShares(t, "c1", "c2")
	s.generate(t, durablePerSecond, func(g *generated) { g.Timeout = impatience })
	s.awaitReads(t, time.Now(), 2*durablePerSecond)
	recoveries := []recovery{
		disturb(t, s, "killed", time.Second, server.Kill, server.Restart),
		disturb(t, s, "standing still", 4*impatience, server.Pause, server.Resume),
		disturb(t, s, "killed", 8*time.Second, server.Kill, server.Restart),
	}

	a := s.settle(t)
	a.requireOrder(t)
	figure(t, "entries in the streams, each number once", "%d", requireEachOnceInOrder(t, s))
	for _, r := range recoveries {
		figure(
			t,
			fmt.Sprintf("%s for %s", r.what, r.down.Round(10*time.Millisecond)),
			"written again %s, all partitions read again %s after it was back",
			r.written.Round(time.Millisecond),
			r.read.Round(time.Millisecond),
		)
	}
}

// recovery is how long it took, from when the server answered again, until there were acknowledged
// writes and reads of all partitions.
type recovery struct {
	what                string
	down, written, read time.Duration
}

// disturb has the server fail for a while and waits until everything flows again.
func disturb(t *testing.T, s *scenario, what string, down time.Duration, fail, mend func(testing.TB)) recovery {
	t.Helper()
	r := recovery{what: what}
	failed := time.Now()
	fail(t)
	<-time.After(down)
	mend(t)
	back := time.Now()
	r.down = back.Sub(failed)
	written := len(s.entered(t))
	unread := map[int]bool{}
	for i := range partitions {
		unread[i] = true
	}
	await(t, patience, "writes and reads to go on", func() bool {
		if r.written == 0 && len(s.entered(t)) > written {
			r.written = time.Since(back)
		}
		for _, record := range s.refresh(t) {
			// Written since, so it did not come out of a buffer.
			if int64(record.offset.Millis) >= back.UnixMilli() {
				delete(unread, record.Partition)
			}
		}
		r.read = time.Since(back)
		return r.written > 0 && len(unread) == 0
	})
	s.awaitReads(t, time.Now(), 2*durablePerSecond)
	return r
}

// requireEachOnceInOrder checks the streams: the numbers from 1 to the last, each once, those of a
// key in order and in one partition, and all that was acknowledged among them.
func requireEachOnceInOrder(t *testing.T, s *scenario) (total int) {
	t.Helper()
	seen := map[int64]bool{}
	for i := range partitions {
		newest := map[string]int64{}
		for _, e := range s.entries(t, i) {
			require.False(t, seen[e.line], "number %d was written twice", e.line)
			require.Less(t, newest[e.key], e.line, "key %s is out of order in partition %d", e.key, i)
			require.Equal(t, kafkaPartition(e.key, partitions), i, "the partition of key %s", e.key)
			seen[e.line], newest[e.key] = true, e.line
		}
	}
	for n := range int64(len(seen)) {
		require.True(t, seen[n+1], "number %d is missing in the streams, which hold %d", n+1, len(seen))
	}
	for _, n := range s.entered(t) {
		require.True(t, seen[n], "number %d was acknowledged and is not in the streams", n)
	}
	return len(seen)
}
