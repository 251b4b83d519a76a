package admin

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

const testTTL = 10 * time.Second

// The topic, the group and the split that most tests need.
var (
	testSplit = broker.Topic{Name: "orders", Partitions: 4}.Split(3)
	testLease = keys.Lease(testSplit.Key, "billing")
)

// testServer adds the topic and the group of most tests to a server.
type testServer struct{ scripttest.Server }

func onBothServers(t *testing.T, test func(t *testing.T, s testServer)) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) { test(t, testServer{s}) })
}

func onRedis(t *testing.T) testServer {
	t.Helper()
	return testServer{scripttest.OnRedis(t)}
}

func (s testServer) group() *broker.Group { return broker.NewGroup(s.Client, "orders", "billing") }

func (s testServer) leases() *broker.Leases {
	return broker.NewLeases(s.Client, broker.LeasesOptions{Topic: "orders", Group: "billing"})
}

// partitioned creates the topic of the tests.
func (s testServer) partitioned(t *testing.T, n int) {
	t.Helper()
	s.Set(t, keys.Metadata("orders"), "partitions", n, "created_ms", 1)
}

// expire sets the expiry of the lease to a time in the past.
func (s testServer) expire(t *testing.T) { s.Set(t, testLease, "expires_ms", s.Now(t)-1) }

// mirrorOf returns the native Redis group with the name of the group, or nil if there is none.
func (s testServer) mirrorOf(t *testing.T) *redis.XInfoGroup {
	t.Helper()
	groups, err := s.Client.XInfoGroups(t.Context(), testSplit.Key).Result()
	require.NoError(t, err)
	for _, g := range groups {
		if g.Name == "billing" {
			return &g
		}
	}
	return nil
}

func beat(t *testing.T, g *broker.Group, member string) splits.View {
	t.Helper()
	view, err := g.Beat(t.Context(), splits.Beat{Member: member, TTL: testTTL})
	require.NoError(t, err)
	return view
}

// claim claims testSplit.
func claim(t *testing.T, l *broker.Leases, member string, start splits.Start) splits.Granted {
	t.Helper()
	return l.Claim(t.Context(), member, testTTL, []splits.Claim{{Split: testSplit, Start: start}})[0]
}

// granted claims testSplit and requires that the claim succeeds.
func granted(t *testing.T, l *broker.Leases, member string) (splits.Lease, splits.Granted) {
	t.Helper()
	g := claim(t, l, member, splits.Earliest())
	require.NoError(t, g.Err)
	return splits.Lease{Split: testSplit, Member: member, Epoch: g.Epoch}, g
}

func commit(t *testing.T, l *broker.Leases, lease splits.Lease, ms, seq uint64, read int64) error {
	t.Helper()
	at := splits.Commit{Lease: lease, Position: position(ms, seq, read), Accounted: read}
	return l.Commit(t.Context(), testTTL, []splits.Commit{at})[0]
}

func position(ms, seq uint64, read int64) splits.Position {
	return splits.Position{Offset: splits.Offset{Millis: ms, Seq: seq}, EntriesRead: read}
}

// used starts a group with a live member that holds all splits of the topic and has read them to
// the end. It returns the member's leases.
func used(t *testing.T, client redis.UniversalClient, topic broker.Topic, group, member string) []splits.Lease {
	t.Helper()
	beat(t, broker.NewGroup(client, topic.Name, group), member)
	l := broker.NewLeases(client, broker.LeasesOptions{Topic: topic.Name, Group: group})
	var leases []splits.Lease
	for _, split := range topic.Splits() {
		g := l.Claim(t.Context(), member, testTTL, []splits.Claim{{Split: split, Start: splits.Latest()}})[0]
		require.NoError(t, g.Err)
		leases = append(leases, splits.Lease{Split: split, Member: member, Epoch: g.Epoch})
		fail(t, l, leases[len(leases)-1])
	}
	return leases
}

// fail stores that an entry fails, under a lease.
func fail(t *testing.T, l *broker.Leases, lease splits.Lease) {
	t.Helper()
	failing := []splits.Attempted{{Offset: splits.Offset{Millis: 20}, Attempts: 2, Cause: "bad"}}
	require.NoError(t, l.Note(t.Context(), []splits.Note{{Lease: lease, Failing: failing}})[0])
}

// leave releases the leases and makes their member leave the group.
func leave(t *testing.T, client redis.UniversalClient, topic, group string, leases []splits.Lease) {
	t.Helper()
	owned := broker.NewLeases(client, broker.LeasesOptions{Topic: topic, Group: group})
	for _, err := range owned.Release(t.Context(), leases) {
		require.NoError(t, err)
	}
	require.NoError(t, broker.NewGroup(client, topic, group).Leave(t.Context(), leases[0].Member))
}

// written creates a topic and appends two records to each of its partitions, as producer p1.
func written(t *testing.T, client redis.UniversalClient, name string, partitions int) broker.Topic {
	t.Helper()
	topic, _, err := broker.NewTopics(client).Create(t.Context(), name, partitions)
	require.NoError(t, err)
	producer := broker.NewAppends(client, broker.AppendOptions{})
	for _, split := range topic.Splits() {
		result := producer.Append(t.Context(), []appender.Request{{
			Target:   appender.Target{Topic: name, Partition: split.Partition, Key: split.Key},
			Producer: "p1",
			Epoch:    1,
			Seq:      1,
			Records:  []appender.Record{{Fields: []string{"body", "a"}}, {Fields: []string{"body", "b"}}},
		}})[0]
		require.Equal(t, appender.Written, result.Status)
	}
	return topic
}

func keysOf(t *testing.T, client redis.Cmdable) []string {
	t.Helper()
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	return keys
}
