package acceptance

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// Two members of a share group delete what they have acknowledged, until a consumer group comes. That
// group receives everything that was written after they know of it.
func TestShareGroupDeletesUntilAnotherGroupComes(t *testing.T) {
	t.Parallel()
	const count = 2
	server := redistest.Start(t)
	client := server.Client(t)
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", count)
	require.NoError(t, err)
	shared, later := newReceivedOffsets(), newReceivedOffsets()
	const fields = "group_type: share\ndelete_on_ack: true\n"
	members := []*reader{
		startReader(t, server.URL(), "ann", fields, shared), startReader(t, server.URL(), "bob", fields, shared),
	}
	load := startTraffic(func(n int) error {
		return client.XAdd(context.Background(), &redis.XAddArgs{
			Stream: fmt.Sprintf("orders:%d", n%count), Values: []string{"body", strconv.Itoa(n)},
		}).Err()
	})
	load.awaitMore(t, 2000)
	length := func() (n int64) {
		for p := range count {
			n += client.XLen(t.Context(), fmt.Sprintf("orders:%d", p)).Val()
		}
		return n
	}
	require.Eventually(t, func() bool { return length() < 200 }, time.Minute, time.Millisecond)

	startReader(t, server.URL(), "eve", "consumer_group: latecomers\n", later)
	for p := range count { // from then on acknowledgements see the group, whatever they know of the topic
		require.Eventually(t, func() bool {
			return len(client.XInfoGroups(t.Context(), fmt.Sprintf("orders:%d", p)).Val()) == 2
		}, time.Minute, time.Millisecond)
	}
	from := load.count() + 1 // one may be on its way
	load.awaitMore(t, 1000)
	load.finish(t)
	written := load.count()
	require.Eventually(t, func() bool {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		return len(shared.bodies) == written
	}, time.Minute, 10*time.Millisecond, "every message is delivered")
	require.Eventually(t, func() bool {
		later.mu.Lock()
		defer later.mu.Unlock()
		for n := from; n < written; n++ {
			if later.bodies[strconv.Itoa(n)] == 0 {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond, "nothing is deleted any more")
	group, err := admin.New(client).DescribeGroup(t.Context(), "orders", "readers")
	require.NoError(t, err)
	for _, p := range group.Partitions {
		assert.Zero(t, p.Lag)
		assert.Zero(t, p.Share.Pending)
	}
	for _, m := range members {
		assert.NotEmpty(t, m.journal.Lines("rafka group delete latecomers"))
		assert.Empty(t, m.journal.Lines("lost"))
	}
}
