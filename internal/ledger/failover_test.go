//go:build ledger

package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// failover is the death of a master, and the promotion of its replica.
type failover struct {
	killed, promoted time.Time
	// partitions are those that the master had.
	partitions []int
}

func (f failover) hit(partition int) bool { return slices.Contains(f.partitions, partition) }

// direct is a client of one server, whatever that says about itself.
func direct(t testing.TB, server *redistest.Server, cluster bool) *redis.Client {
	t.Helper()
	return server.Client(t, func(o *redis.Options) {
		o.ReadTimeout, o.DialTimeout = time.Second, time.Second
		if cluster {
			o.OnConnect = func(ctx context.Context, conn *redis.Conn) error { return conn.ReadOnly(ctx).Err() }
		}
	})
}

// awaitReplicated waits until the replicas of a master have all that it has now.
func awaitReplicated(t testing.TB, master *redistest.Server, replicas ...*redistest.Server) {
	t.Helper()
	position := func(s *redistest.Server, field string) (n int64) {
		info, err := s.Client(t).Info(t.Context(), "replication").Result()
		require.NoError(t, err)
		_, value, found := strings.Cut(info, "\n"+field+":")
		require.True(t, found, "no %s in %s", field, info)
		_, err = fmt.Sscan(value, &n)
		require.NoError(t, err)
		return n
	}
	goal := position(master, "master_repl_offset")
	for _, replica := range replicas {
		await(
			t,
			patience,
			"the replica to have what the master has",
			func() bool { return position(replica, "slave_repl_offset") >= goal },
		)
	}
}

// cutOff has the replicas of a master miss what is written until the master is killed. The replica
// must stand still for that, or it would connect again; what lies in its socket it still gets.
func cutOff(t testing.TB, master, replica *redistest.Server) {
	t.Helper()
	replica.Pause(t)
	require.NoError(t, master.Client(t).ClientKillByFilter(t.Context(), "TYPE", "replica").Err())
}

// populate starts consumers and two producers, and another producer for each of the options; all
// show their metrics. When it returns every producer has written to all of its partitions.
func (s *scenario) populate(t testing.TB, consumers []string, options ...func(*generated)) {
	t.Helper()
	for _, name := range consumers {
		s.consume(t, name, func(c *consumer) { c.Metrics = freeAddress(t) })
	}
	s.awaitShares(t, consumers...)
	ordinary := func(*generated) {}
	for _, change := range append([]func(*generated){ordinary, ordinary}, options...) {
		s.generate(t, failoverPerSecond, func(g *generated) { g.Metrics = freeAddress(t) }, change)
	}
	s.awaitRounds(t, 2)
	s.awaitReads(t, time.Now(), failoverPerSecond)
}

// stock is what stands in the streams in the end.
type stock struct {
	ids   map[int64]string // of each number, by which its entry can be told from an earlier one that Redis lost
	twice []int64          // the numbers that stand there more than once
}

// takeStock reads the streams: the numbers of a key stand in its own partition and in order.
func (s *scenario) takeStock(t testing.TB) *stock {
	t.Helper()
	k := &stock{ids: map[int64]string{}}
	for i := range s.Partitions {
		newest := map[string]int64{}
		for _, e := range s.entries(t, i) {
			if _, known := k.ids[e.line]; known {
				k.twice = append(k.twice, e.line)
				continue
			}
			require.Less(t, newest[e.key], e.line, "key %s is out of order in partition %d", e.key, i)
			require.Equal(t, kafkaPartition(e.key, s.Partitions), i, "the partition of key %s", e.key)
			k.ids[e.line], newest[e.key] = e.id, e.line
		}
	}
	return k
}

// lines are all numbers that are there.
func (k *stock) lines() (all []int64) {
	for line := range k.ids {
		all = append(all, line)
	}
	return all
}

// keeps reports whether the entry that was read is still there. Its number may be there again in
// another.
func (k *stock) keeps(r record) bool { return k.ids[r.Line] == r.ID }

// settleFailover ends the input, waits until all that Redis kept has come out, and holds what Redis
// lost against what rafka counted. It returns how many acknowledged messages were lost.
func (s *scenario) settleFailover(t testing.TB, f failover, w *watch) (a *account, lost int64) {
	t.Helper()
	counted, gaps := s.counted(t, "rafka_append_lost_entries_total"), s.counted(t, "rafka_append_gaps_total")
	retries, duplicates := s.counted(t, "rafka_append_retries_total"), s.counted(t, "rafka_append_deduplicated_total")
	s.stopProducers(t)
	entered, kept := s.entered(t), s.takeStock(t)
	require.NotEmpty(t, entered, "nothing went in")
	s.awaitLines(t, kept.lines())
	noticed, recreated := s.noticed(t, "rafka_lost_entries_total"), s.noticed(t, "rafka_recreated_total")
	a = s.balance(t, kept.lines())
	a.requireOrder(t)
	keptOnly := a.only(kept.keeps)
	keptOnly.requireOrder(t)
	for line, id := range kept.ids {
		_, known := keptOnly.first[line]
		require.True(t, known, "number %d was read, but not its entry %s", line, id)
	}

	missing, read := s.missingOf(entered, kept, a)
	lost = missing.sum()
	figure(t, "acknowledged", "%d", len(entered))
	figure(
		t,
		"in the streams",
		"%d, of these not acknowledged: %d",
		len(kept.ids),
		int64(len(kept.ids))+lost-int64(len(entered)),
	)
	figure(t, "acknowledged and not in the streams", "%d %v", lost, missing)
	figure(t, "counted as lost by the producers", "%d %v (%d gaps)", counted.sum(), counted, gaps.sum())
	figure(t, "of these read before they were lost", "%d %v", read.sum(), read)
	figure(t, "counted as lost unread by the consumers", "%d %v", noticed.sum(), noticed)
	figure(t, "streams that they found gone back", "%v", recreated)
	figure(t, "appends sent again, of these written before", "%d, %d", retries.sum(), duplicates.sum())
	figure(t, "numbers that stand in the streams twice", "%d", len(kept.twice))
	w.requireCauses(t, a, kept, f, recreated)
	a.recoveries(t, f)
	require.Empty(t, kept.twice, "an idempotent output writes nothing twice")
	for _, c := range []counter{missing, noticed, recreated} {
		for partition := range c {
			require.True(
				t,
				f.hit(partition),
				"partition %d lost something and was not on the dead master: %v",
				partition,
				c,
			)
		}
	}
	require.Equal(t, missing, counted, "what Redis lost and what the producers counted, by partition")
	for partition := range read {
		// Whoever claims the partition anew begins where the stored position is, which went back
		// with the stream: there is nothing to be found.
		require.Positive(t, recreated[partition]+int64(w.ordinary.claims(partition, time.Now())),
			"nobody found that partition %d had gone back", partition)
	}
	require.LessOrEqual(t, noticed.sum(), lost-read.sum(), "the consumers count at most what was lost and never read")
	return a, lost
}

// missingOf counts, by partition, what was acknowledged and does not stand in the streams, and what
// of that was read all the same.
func (s *scenario) missingOf(entered []int64, kept *stock, a *account) (missing, read counter) {
	missing, read = counter{}, counter{}
	for _, line := range entered {
		if _, there := kept.ids[line]; there {
			continue
		}
		keys := s.producers[line/producerRange].Keys
		partition := kafkaPartition(keys[line%int64(len(keys))], s.Partitions)
		missing[partition]++
		if _, known := a.first[line]; known {
			read[partition]++
		}
	}
	return missing, read
}

// recoveries logs how long it took until the partitions of the dead master were read again with
// what was written since.
func (a *account) recoveries(t testing.TB, f failover) {
	t.Helper()
	took := make([]time.Duration, len(f.partitions))
	for i, partition := range f.partitions {
		first := slices.IndexFunc(a.records, func(r record) bool {
			return r.Partition == partition && int64(r.offset.Millis) > f.killed.UnixMilli()
		})
		require.GreaterOrEqual(t, first, 0, "partition %d was not read again", partition)
		took[i] = a.records[first].read().Sub(f.killed).Round(time.Millisecond)
	}
	figure(t, "the replica was promoted after", "%s", f.promoted.Sub(f.killed).Round(time.Millisecond))
	figure(t, "new messages of its partitions were read after", "%v", took)
}

// requireAllAlive checks that no process ended.
func (s *scenario) requireAllAlive(t testing.TB) {
	t.Helper()
	for _, p := range s.producers {
		p.requireAlive(t)
	}
	for _, m := range s.consumers {
		m.requireAlive(t)
	}
}
