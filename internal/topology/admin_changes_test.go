package topology

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// The keys of one topic are on all nodes. Each command has to find its keys there, and no others.
func TestAdminChangesTopicsAndGroupsOfCluster(t *testing.T) {
	t.Parallel()
	const written, partitions, grown = 2000, 8, 12
	cluster := redistest.StartCluster(t, 3, 0)
	client := cluster.Client(t)
	operator := admin.New(client)
	d := onCluster(cluster, "orders", partitions)
	consumers := newConsumers()
	ann, stopAnn := consumers.join(t, "ann", d)
	bob, stopBob := consumers.join(t, "bob", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), written))
	consumers.await(t, written)
	awaitLagZero(t, client, d, written)
	require.Zero(t, consumers.repeated())

	seek := admin.Seek{Topic: d.topic, Group: "readers", To: "earliest"}
	sought, err := operator.SeekGroup(t.Context(), seek)
	require.NoError(t, err)
	lag := int64(0)
	for _, p := range sought.Partitions {
		lag += p.Lag
	}
	assert.EqualValues(t, written, lag)
	require.Eventually(t, func() bool { return consumers.repeated() >= written }, 2*time.Minute, 10*time.Millisecond)
	awaitLagZero(t, client, d, written)
	assert.Equal(t, written, consumers.repeated(), "each message was read once more")

	_, err = operator.GrowTopic(t.Context(), d.topic, grown)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		group, err := operator.DescribeGroup(t.Context(), d.topic, "readers")
		owned := 0
		for _, p := range group.Partitions {
			if p.Owner != "" {
				owned++
			}
		}
		return err == nil && owned == grown
	}, time.Minute, 20*time.Millisecond, "the members share the new partitions")
	for _, log := range []*journal{ann, bob} {
		assert.NotEmpty(t, log.Lines("level=INFO", "was moved, as by rafka group seek"))
		assert.Empty(t, log.Lines("level=WARN"))
		assert.Empty(t, log.Lines("level=ERROR"))
	}

	_, err = operator.DeleteGroup(t.Context(), d.topic, "readers", false)
	require.ErrorAs(t, err, new(*admin.GroupAliveError))
	_, err = operator.DeleteTopic(t.Context(), admin.TopicDeletion{Topic: d.topic})
	require.ErrorAs(t, err, new(*admin.GroupAliveError))
	stopAnn()
	stopBob()
	_, err = operator.DeleteGroup(t.Context(), d.topic, "readers", false)
	require.NoError(t, err)
	seek.Group = "other"
	_, err = operator.SeekGroup(t.Context(), seek)
	require.NoError(t, err)
	deleted, err := operator.DeleteTopic(t.Context(), admin.TopicDeletion{Topic: d.topic})
	require.NoError(t, err)
	assert.Len(t, deleted.Partitions, grown)
	assert.Greater(t, deleted.Keys, grown+1, "the metadata, the leases of every partition, and producers")
	var left atomic.Int64
	require.NoError(t, client.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
		n, err := node.DBSize(ctx).Result()
		left.Add(n)
		return err
	}))
	assert.Zero(t, left.Load(), "keys on all masters")
}
