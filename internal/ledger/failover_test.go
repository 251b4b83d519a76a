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

// failover is the death of a master and the promotion of its replica.
type failover struct {
	killed, promoted time.Time
	// partitions are the partitions of the dead master.
	partitions []int
}

func (f failover) hit(partition int) bool { return slices.Contains(f.partitions, partition) }

// direct returns a client that talks to one server, whatever role the server has.
func direct(t testing.TB, server *redistest.Server, cluster bool) *redis.Client {
	t.Helper()
	return server.Client(t, func(o *redis.Options) {
		o.ReadTimeout, o.DialTimeout = time.Second, time.Second
		if cluster {
			o.OnConnect = func(ctx context.Context, conn *redis.Conn) error { return conn.ReadOnly(ctx).Err() }
		}
	})
}

// awaitReplicated waits until the replicas have everything that the master has now.
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
			waitLimit,
			"the replica to catch up with the master",
			func() bool { return position(replica, "slave_repl_offset") >= goal },
		)
	}
}

// cutOff makes a replica miss all writes from now until the master is killed. The replica has to be
// frozen for that, since it would reconnect otherwise; it still receives the data in its socket
// buffer.
func cutOff(t testing.TB, master, replica *redistest.Server) {
	t.Helper()
	replica.Pause(t)
	require.NoError(t, master.Client(t).ClientKillByFilter(t.Context(), "TYPE", "replica").Err())
}

// populate starts consumers and two producers, and another producer for each option; all serve
// metrics. When it returns, every producer has written to all of its partitions.
func (s *scenario) populate(t testing.TB, consumers []string, options ...func(*generator)) {
	t.Helper()
	for _, name := range consumers {
		s.consume(t, name, func(c *consumer) { c.Metrics = freeAddress(t) })
	}
	s.awaitShares(t, consumers...)
	ordinary := func(*generator) {}
	for _, change := range append([]func(*generator){ordinary, ordinary}, options...) {
		s.generate(t, failoverPerSecond, func(g *generator) { g.Metrics = freeAddress(t) }, change)
	}
	s.awaitRounds(t, 2)
	s.awaitReads(t, time.Now(), failoverPerSecond)
}

// contents is the final content of the streams.
type contents struct {
	ids   map[int64]string // entry ID of each number: distinguishes it from an earlier entry that Redis lost
	twice []int64          // numbers that are in the streams more than once
}

// readContents reads the streams and checks that the numbers of each key are in its partition, in
// order.
func (s *scenario) readContents(t testing.TB) *contents {
	t.Helper()
	k := &contents{ids: map[int64]string{}}
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

// lines returns all numbers in the streams.
func (k *contents) lines() (all []int64) {
	for line := range k.ids {
		all = append(all, line)
	}
	return all
}

// keeps reports whether the entry that was read is still there. If it is not, another entry can
// have the same number.
func (k *contents) keeps(r record) bool { return k.ids[r.Line] == r.ID }

// drainFailover stops the input, waits until everything that Redis kept has been read, and compares
// what Redis lost with what rafka counted. It returns how many acknowledged messages were lost.
func (s *scenario) drainFailover(t testing.TB, f failover, w *leaseWatch) (a *deliveries, lost int64) {
	t.Helper()
	counted, gaps := s.producerCounter(
		t,
		"rafka_append_lost_entries_total",
	), s.producerCounter(
		t,
		"rafka_append_gaps_total",
	)
	retries, duplicates := s.producerCounter(
		t,
		"rafka_append_retries_total",
	), s.producerCounter(
		t,
		"rafka_append_deduplicated_total",
	)
	s.stopProducers(t)
	entered, kept := s.entered(t), s.readContents(t)
	require.NotEmpty(t, entered, "nothing was written")
	s.awaitLines(t, kept.lines())
	noticed, recreated := s.consumerCounter(
		t,
		"rafka_lost_entries_total",
	), s.consumerCounter(
		t,
		"rafka_recreated_total",
	)
	a = s.awaitAndStop(t, kept.lines())
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
	figure(t, "acknowledged but not in the streams", "%d %v", lost, missing)
	figure(t, "counted as lost by the producers", "%d %v (%d gaps)", counted.sum(), counted, gaps.sum())
	figure(t, "of these read before they were lost", "%d %v", read.sum(), read)
	figure(t, "counted as lost unread by the consumers", "%d %v", noticed.sum(), noticed)
	figure(t, "streams whose rollback they noticed", "%v", recreated)
	figure(t, "appends retried, of these duplicates", "%d, %d", retries.sum(), duplicates.sum())
	figure(t, "numbers that are in the streams twice", "%d", len(kept.twice))
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
		// A member that claims the partition starts at the stored position, which went back
		// together with the stream: it has nothing to notice.
		require.Positive(t, recreated[partition]+int64(w.current.claims(partition, time.Now())),
			"no consumer noticed that partition %d was rolled back", partition)
	}
	require.LessOrEqual(t, noticed.sum(), lost-read.sum(), "the consumers count at most what was lost and never read")
	return a, lost
}

// missingOf counts, by partition, the acknowledged messages that are not in the streams, and how
// many of them were read before Redis lost them.
func (s *scenario) missingOf(entered []int64, kept *contents, a *deliveries) (missing, read counter) {
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

// recoveries logs how long it took until new messages of the dead master's partitions were read.
func (a *deliveries) recoveries(t testing.TB, f failover) {
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
