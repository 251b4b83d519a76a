//go:build ledger

package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// With ordering key, one of three consumers is killed, one is frozen beyond its session and
// continues, and one leaves, all under steady input. Nothing is lost, the order of each key is
// kept, and only messages of the killed and the frozen consumer are read again.
func TestLedgerOrderOfKeys(t *testing.T) {
	byKey := func(c *consumer) { c.Ordering, c.BatchSize = "key", 50 }
	s, _ := newScenario(t)
	victim := s.consume(t, "victim", byKey)
	sleeper := s.consume(t, "sleeper", byKey)
	leaver := s.consume(t, "leaver", byKey)
	s.awaitShares(t, "victim", "sleeper", "leaver")
	s.generate(t, perSecond)
	s.awaitReads(t, time.Now(), perSecond)

	victim.kill(t)
	s.consume(t, "c4", byKey)
	s.awaitShares(t, "sleeper", "leaver", "c4")
	s.awaitReads(t, time.Now(), perSecond)
	sleeper.pause(t)
	s.awaitShares(t, "leaver", "c4")
	s.awaitReads(t, time.Now(), perSecond)
	sleeper.resume(t)
	s.awaitShares(t, "sleeper", "leaver", "c4")
	leaver.terminate(t)
	leaver.join(t, stopWithin)
	s.awaitReads(t, time.Now(), perSecond)

	a := s.drain(t)
	a.requireOrder(t)
	a.requireRepeatsOf(t, victim, sleeper)
}

// marked is the number of a message that fails or makes the process exit. Other messages of its key
// are before and after it.
const marked = 2 * producerKeys

// With ordering key, a message of a plain stream that always fails delays only its own key, and is
// not committed. Nor is one that makes the process exit. Once the cause is gone, the next member
// reads them, and the order of their key is kept.
func TestLedgerMarkedMessages(t *testing.T) {
	s, _ := newPlainScenario(t)
	isMarked := fmt.Sprintf("@line.number() == %d", marked)
	byKey := func(c *consumer) { c.Ordering, c.BatchSize, c.Threads = "key", 20, partitions }
	p := s.generate(t, durablePerSecond)
	failing := s.consume(t, "failing", byKey, func(c *consumer) { c.Fails = isMarked })
	s.awaitReads(t, time.Now(), 4*durablePerSecond)
	failing.terminate(t)
	failing.join(t, stopWithin)
	requireOnlyKeyWaited(t, failing, p.Keys[0])

	crashing := s.consume(t, "crashing", byKey, func(c *consumer) { c.Crashes = isMarked })
	await(t, waitLimit, "the process to exit", crashing.ended)
	requireOnlyKeyWaited(t, crashing, p.Keys[0])
	committed, err := s.client.HGet(t.Context(), "rafka:{ledger}:lease:accountants", "offset").Result()
	require.NoError(t, err)
	s.consume(t, "c3", byKey)

	a := s.drain(t)
	a.requireOrder(t)
	a.requireRepeatsOf(t, failing, crashing)
	upTo, err := splits.ParseOffset(committed)
	require.NoError(t, err)
	for _, r := range a.records {
		require.False(t, r.Line == marked && !upTo.Before(r.offset), "committed before it was read: %s", r)
	}
}

// requireOnlyKeyWaited checks that a member has read no message of a key from the marked one on. If
// the member read on for a while, it has read the other keys.
func requireOnlyKeyWaited(t testing.TB, m *member, waits string) {
	t.Helper()
	m.consumerLedger.refresh(t)
	newest := map[string]int64{}
	for _, r := range m.records {
		newest[r.Key] = max(newest[r.Key], r.Line)
	}
	require.Less(t, newest[waits], int64(marked), "key %s was read past the marked message", waits)
	if m.Fails == "" {
		return
	}
	for key, line := range newest {
		require.True(t, key == waits || line > marked+5*producerKeys, "key %s waited at %d", key, line)
	}
	require.Len(t, newest, producerKeys)
}
