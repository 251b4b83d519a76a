package access

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// asOnCluster gives a user the rules on every node, and returns a client of that user.
func asOnCluster(t *testing.T, cluster *redistest.Cluster, rules []string) *redis.ClusterClient {
	t.Helper()
	args := []any{"ACL", "SETUSER", "ann", "reset", "on", ">pw"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	for _, node := range cluster.Nodes() {
		require.NoError(t, node.Client(t).Do(t.Context(), args...).Err())
		node.Denied(t)
	}
	return cluster.Client(t, func(o *redis.ClusterOptions) { o.Username, o.Password, o.MaxRedirects = "ann", "pw", 3 })
}

func deniedOnCluster(t *testing.T, cluster *redistest.Cluster) (denied []string) {
	t.Helper()
	for _, node := range cluster.Nodes() {
		denied = append(denied, node.Denied(t)...)
	}
	return denied
}

// without returns the rules except one.
func without(rules []string, missing string) []string {
	var left []string
	for _, rule := range rules {
		if rule != missing {
			left = append(left, rule)
		}
	}
	return left
}

// The listed permissions are sufficient on a cluster too, even while slots move. The errors name
// missing permissions that only a cluster needs.
func TestPermissionsThatOnlyAClusterNeeds(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	ctx := t.Context()
	rules := map[Role][]string{}
	for _, role := range []Role{RoleReader, RoleWriter, RoleAdmin} {
		var err error
		rules[role], err = acl(role).Rules()
		require.NoError(t, err)
	}
	writer := asOnCluster(t, cluster, rules[RoleWriter])
	require.NoError(t, CheckWriter(ctx, writer, "orders", 4))
	assert.Empty(t, MissingOptionalForWriter(ctx, writer, "orders", true))
	topic, _, err := broker.NewTopics(writer).Create(ctx, "orders", 4)
	require.NoError(t, err)
	appends := broker.NewAppends(writer, broker.AppendOptions{MaxLength: 100, MaxAge: time.Hour})
	write := func(a *broker.Appends, split splits.Split, seq uint64) appender.Result {
		return a.Append(ctx, []appender.Request{{
			Target:   appender.Target{Topic: "orders", Partition: split.Partition, Key: split.Key},
			Producer: "p1",
			Epoch:    1,
			Seq:      seq,
			Records:  []appender.Record{{Fields: []string{"body", "x"}}},
		}})[0]
	}
	for _, split := range topic.Splits() {
		require.Equal(t, appender.Written, write(appends, split, 1).Status)
	}
	assert.Empty(t, deniedOnCluster(t, cluster))

	reader := asOnCluster(t, cluster, rules[RoleReader])
	require.NoError(t, CheckReader(ctx, reader, "orders", "billing"))
	assert.Empty(t, MissingOptionalForReader(ctx, reader, "orders", "billing"))
	readOnce(t, reader, topic)
	assert.Empty(t, deniedOnCluster(t, cluster))

	a := admin.New(asOnCluster(t, cluster, rules[RoleAdmin]))
	_, topics := a.ListTopics(ctx)
	_, described := a.DescribeTopic(ctx, "orders")
	_, groups := a.ListGroups(ctx, "orders")
	_, group := a.DescribeGroup(ctx, "orders", "billing")
	require.NoError(t, firstError([]error{topics, described, groups, group}))
	assert.Empty(t, deniedOnCluster(t, cluster))

	for _, missing := range []string{"+cluster|slots", "+asking"} {
		reader := asOnCluster(t, cluster, without(rules[RoleReader], missing))
		errs := []error{CheckReader(ctx, reader, "orders", "billing")}
		writer := asOnCluster(t, cluster, without(rules[RoleWriter], missing))
		for _, err := range append(errs, CheckWriter(ctx, writer, "orders", 0)) {
			assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(err), "%s: %v", missing, err)
			assert.Contains(t, oldWords.Replace(err.Error()), strings.Trim(clusterOutcomes[missing], "`"))
			require.ErrorContains(t, err, "ACL SETUSER <username> "+missing)
		}
	}
	slow := asOnCluster(t, cluster, without(rules[RoleReader], "+command"))
	require.NoError(t, CheckReader(ctx, slow, "orders", "billing"))
	assert.Contains(t, MissingOptionalForReader(ctx, slow, "orders", "billing"), "COMMAND")

	split := topic.Split(0)
	to := cluster.Nodes()[0]
	if to == cluster.Master(t, split.Key) {
		to = cluster.Nodes()[1]
	}
	move := cluster.BeginMigration(t, cluster.Slot(t, split.Key), to)
	move.Move(t)
	moving := broker.NewAppends(asOnCluster(t, cluster, rules[RoleWriter]), broker.AppendOptions{})
	require.Equal(t, appender.Written, write(moving, split, 2).Status)
	assert.Empty(t, deniedOnCluster(t, cluster))
	move.Finish(t)
}

// readOnce sends every request that a member sends with its client.
func readOnce(t *testing.T, client redis.UniversalClient, topic broker.Topic) {
	t.Helper()
	ctx := t.Context()
	group := broker.NewGroup(client, "orders", "billing")
	listening, cancel := context.WithCancel(ctx)
	hints, ended := make(chan struct{}, 10), make(chan error, 1)
	go func() { ended <- group.Wake(listening, func() { hints <- struct{}{} }) }()
	<-hints
	view, err := group.Beat(ctx, splits.Beat{Member: "m", TTL: testTTL})
	require.NoError(t, err)
	_, err = group.Propose(
		ctx,
		splits.Plan{Version: view.Version, Assignments: splits.Assign(view.Members, len(view.Splits), nil)},
	)
	require.NoError(t, err)
	leases := broker.NewLeases(client, broker.LeasesOptions{Topic: "orders", Group: "billing"})
	log := broker.NewLog(client, client)
	for _, split := range topic.Splits() {
		g := leases.Claim(ctx, "m", testTTL, []splits.Claim{{Split: split, Start: splits.Earliest()}})[0]
		require.NoError(t, g.Err)
		lease := splits.Lease{Split: split, Member: "m", Epoch: g.Epoch}
		cursor := splits.Cursor{Split: split, After: g.Position.Offset, Inspect: true}
		fetched, err := log.Fetch(ctx, splits.FetchRequest{Cursors: []splits.Cursor{cursor}, Count: 10})
		require.NoError(t, err)
		require.Len(t, fetched[0].Entries, 1)
		at := splits.Position{Offset: fetched[0].Entries[0].Offset, EntriesRead: 1}
		require.NoError(
			t,
			leases.Commit(ctx, testTTL, []splits.Commit{{Lease: lease, Position: at, Accounted: at.EntriesRead}})[0],
		)
		require.NoError(t, leases.Renew(ctx, testTTL, []splits.Lease{lease})[0])
		require.NoError(t, leases.Reset(ctx, testTTL, splits.Commit{Lease: lease, Position: at}))
		require.NoError(t, leases.Release(ctx, []splits.Lease{lease})[0])
	}
	require.NoError(t, group.Leave(ctx, "m"))
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// A dead node stops only its own partitions: a pipeline that starts then reports these partitions
// and processes the others.
func TestChecksPassWhileANodeIsDown(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	client := cluster.Client(t)
	ctx := t.Context()
	name, dead := "", (*redistest.Server)(nil)
	for i := 0; dead == nil; i++ { // a topic with a partition on another node than the metadata
		name = fmt.Sprintf("orders%d", i)
		for p := range 4 {
			if m := cluster.Master(t, keys.Partition(name, p)); m != cluster.Master(t, name) {
				dead = m
			}
		}
	}
	_, _, err := broker.NewTopics(client).Create(ctx, name, 4)
	require.NoError(t, err)
	require.NoError(t, CheckReader(ctx, client, name, "g"))
	dead.Kill(t)
	assert.NoError(t, CheckReader(ctx, client, name, "g"))
	assert.NoError(t, CheckWriter(ctx, client, name, 0))
	for _, node := range cluster.Nodes() {
		node.Kill(t)
	}
	require.Error(t, CheckReader(ctx, client, name, "g"))
	require.Error(t, CheckWriter(ctx, client, name, 0))
}
