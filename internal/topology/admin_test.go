package topology

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
)

// awaitLagZero waits until the group has committed everything, according to the admin commands.
func awaitLagZero(t *testing.T, client redis.UniversalClient, d deployment, written int) {
	t.Helper()
	operator := admin.New(client)
	var last string
	if !assert.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		group, err := operator.DescribeGroup(ctx, d.topic, "readers")
		if last = fmt.Sprintf("%+v %v", group.Partitions, err); err != nil {
			return false
		}
		for _, p := range group.Partitions {
			if p.Lag != 0 {
				return false
			}
		}
		return len(group.Partitions) == d.partitions
	}, time.Minute, 50*time.Millisecond) {
		t.Fatalf("the lag does not become 0: %s", last)
	}
	topic, err := operator.DescribeTopic(t.Context(), d.topic)
	require.NoError(t, err)
	var added int64
	for _, p := range topic.Partitions {
		added += p.Added
	}
	assert.EqualValues(t, written, added, "entries in the topic")
	topics, err := operator.ListTopics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []broker.Topic{topic.Topic}, topics)
	groups, err := operator.ListGroups(t.Context(), "")
	require.NoError(t, err)
	if assert.Len(t, groups, 1) {
		assert.Equal(t, "readers", groups[0].Group)
	}
}
