//go:build ledger

package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// durablePerSecond is a rate that a server can handle although it syncs each write to disk.
	durablePerSecond = 2000
	// readTimeout is how long the producer of this test waits for a reply.
	readTimeout = 500 * time.Millisecond
)

// Under steady input, Redis is killed and restarted twice, once for less than a session and once
// for much more, and once it freezes for longer than the producer waits: then it processes the
// requests that it has received, and their replies are lost. No acknowledged message is lost,
// nothing is written twice, and producers and consumers recover without help.
func TestLedgerRedisRestart(t *testing.T) {
	s, server := newScenario(t, "--appendonly", "yes", "--appendfsync", "always")
	s.consume(t, "c1")
	s.consume(t, "c2")
	s.awaitShares(t, "c1", "c2")
	s.generate(t, durablePerSecond, func(g *generator) { g.Timeout = readTimeout })
	s.awaitReads(t, time.Now(), 2*durablePerSecond)
	recoveries := []recovery{
		disturb(t, s, "killed", time.Second, server.Kill, server.Restart),
		disturb(t, s, "frozen", 4*readTimeout, server.Pause, server.Resume),
		disturb(t, s, "killed", 8*time.Second, server.Kill, server.Restart),
	}

	a := s.drain(t)
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

// recovery is how long it took, after the server answered again, until writes were acknowledged and
// all partitions were read.
type recovery struct {
	what                string
	down, written, read time.Duration
}

// disturb makes the server fail for a while and waits until messages flow again.
func disturb(
	t *testing.T,
	s *scenario,
	what string,
	down time.Duration,
	breakServer, repair func(testing.TB),
) recovery {
	t.Helper()
	r := recovery{what: what}
	failed := time.Now()
	breakServer(t)
	<-time.After(down)
	repair(t)
	back := time.Now()
	r.down = back.Sub(failed)
	written := len(s.entered(t))
	unread := map[int]bool{}
	for i := range partitions {
		unread[i] = true
	}
	await(t, waitLimit, "writes and reads to resume", func() bool {
		if r.written == 0 && len(s.entered(t)) > written {
			r.written = time.Since(back)
		}
		for _, record := range s.refresh(t) {
			// Written after the outage, so not from a buffer.
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

// requireEachOnceInOrder checks the streams: every number from 1 to the last, each once, the
// numbers of a key in order and in one partition, and every acknowledged number.
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
