package input

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// leftBehind is what a stopped redis_streams input leaves: the Redis consumer group g has delivered
// the messages 0 to 2999 to two consumers, and every third one is pending. It returns the numbers
// of these. The messages from 3000 on were not delivered.
func leftBehind(t *testing.T, client *redis.Client, stream string) (pending []string) {
	t.Helper()
	ctx := t.Context()
	const delivered, more = 3000, 500
	pipe := client.Pipeline()
	for i := range delivered + more {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []string{"body", strconv.Itoa(i), "source", "bento"}})
	}
	_, err := pipe.Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, client.XGroupCreate(ctx, stream, "g", "0").Err())
	for i := 0; i < delivered; i += 100 {
		read, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group:    "g",
			Consumer: fmt.Sprintf("dead-%d", i/100%2),
			Streams:  []string{stream, ">"},
			Count:    100,
			Block:    -1,
		}).Result()
		require.NoError(t, err)
		for n, m := range read[0].Messages {
			if (i+n)%3 == 0 {
				pending = append(pending, strconv.Itoa(i+n))
			} else {
				require.NoError(t, client.XAck(ctx, stream, "g", m.ID).Err())
			}
		}
	}
	redistest.Age(t, client, stream, 11*time.Minute)
	return pending
}

// adopted waits until the mirror is the only thing that is left of the Redis consumer group.
func adopted(t *testing.T, client *redis.Client, stream string) {
	t.Helper()
	require.Eventually(t, func() bool {
		groups := client.XInfoGroups(t.Context(), stream).Val()
		return len(groups) == 1 && groups[0].Pending == 0 && groups[0].Lag == 0 && groups[0].Consumers == 1
	}, time.Minute, 10*time.Millisecond)
}

func TestGroupOfAnotherProgramIsContinued(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	pending := leftBehind(t, client, "orders")
	require.Len(t, pending, 1000)
	in, j := openInput(t, server.URL(), "start_offset: group\nconsumer_group: g\nbatch_size: 300\ncommit_period: 50ms")
	got := consume(t, in, 1500)
	assert.Equal(t, slices.Concat(pending, numbers(3000, 3500)), got,
		"what was pending comes first, and nothing that was acknowledged")
	adopted(t, client, "orders")
	silent(t, in, 200*time.Millisecond)
	assert.Len(t, j.Lines("continues where the Redis consumer group g stands"), 1)
	assert.Len(t, j.Lines("nothing is pending in the Redis consumer group g any more"), 1)
}

// A second input takes over in the middle: what the first one has acknowledged does not come again.
func TestContinuedGroupSurvivesAHandover(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	pending := leftBehind(t, client, "orders")
	fields := "consumer_group: g\nbatch_size: 50\nstart_offset: "
	first, _ := openInput(t, server.URL(), fields+"group")
	got := consume(t, first, 400)
	require.NoError(t, first.Close(context.Background()))
	second, _ := openInput(t, server.URL(), fields+"latest") // the lease knows that it is being adopted
	got = append(got, consume(t, second, 1100)...)
	assert.Equal(t, slices.Concat(pending, numbers(3000, 3500)), got)
	adopted(t, client, "orders")
}

func TestShareGroupContinuesTheGroupOfAnotherProgram(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	pending := leftBehind(t, client, "orders")
	require.Len(t, pending, 1000)
	in, j := openInput(t, server.URL(), "group_type: share\nconsumer_group: g\nadopt_idle: 10m\nbatch_size: 50")
	assert.ElementsMatch(t, slices.Concat(pending, numbers(3000, 3500)), consume(t, in, 1500),
		"each message once, and none that was acknowledged")
	silent(t, in, 200*time.Millisecond)
	require.Eventually(t, func() bool {
		return client.XPending(t.Context(), "orders", "g").Val().Count == 0
	}, time.Minute, 10*time.Millisecond)
	assert.NotEmpty(t, j.Lines("from consumers of other programs, idle for adopt_idle"))
}

func TestContinuedGroupMustExistInEveryPartition(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, 2)
	leftBehind(t, client, "orders:0")
	in, log := closedInput(t, server.URL(), "start_offset: group\nconsumer_group: g")
	err := in.Connect(t.Context())
	require.ErrorContains(t, err, "start_offset is group: stream orders:1 has no Redis consumer group g")
	require.ErrorContains(t, err, "XGROUP CREATE orders:1 g 0 MKSTREAM")
	require.NoError(t, in.ConnectionTest(t.Context())[0].Err)
	assert.Len(t, log.Lines("level=WARN", "stream orders:1 has no Redis consumer group g"), 1)

	require.NoError(t, client.XGroupCreateMkStream(t.Context(), "orders:1", "g", "0").Err())
	require.NoError(t, in.ConnectionTest(t.Context())[0].Err)
	assert.Len(t, log.Lines("level=WARN", "has no Redis consumer group"), 1)
	require.NoError(t, reconnect(patient(t), in))
	assert.Len(t, consume(t, in, 1500), 1500)
}

func TestContinuedGroupWaitsForItsReaders(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", "a", "b")
	require.NoError(t, client.XGroupCreate(t.Context(), "orders", "g", "0").Err())
	_, err := client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
		Group: "g", Consumer: "alive", Streams: []string{"orders", ">"}, Count: 1, Block: -1,
	}).Result()
	require.NoError(t, err)
	in, j := openInput(t, server.URL(), "start_offset: group\nconsumer_group: g")
	require.Eventually(t, func() bool {
		return len(j.Lines("received something", "Stop all its readers")) > 0
	}, time.Minute, 10*time.Millisecond)
	redistest.Age(t, client, "orders", 11*time.Minute)
	assert.Equal(t, []string{"a", "b"}, consume(t, in, 2))
}
