package input

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestStartOffsets(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		ids := map[string]string{}
		base := time.Now().Add(-time.Hour).Truncate(time.Second)
		for i, text := range []string{"a", "b", "c"} {
			id := fmt.Sprintf("%d-5", base.Add(time.Duration(i)*time.Minute).UnixMilli())
			ids[text] = id
			require.NoError(
				t,
				client.XAdd(
					t.Context(),
					&redis.XAddArgs{Stream: "orders", ID: id, Values: []string{"body", text}},
				).Err(),
			)
		}
		for start, want := range map[string][]string{
			"earliest": {"a", "b", "c", "new"},
			"latest":   {"new"},
			ids["b"]:   {"b", "c", "new"}, // inclusive
			base.Add(time.Minute).Format(time.RFC3339):                              {"b", "c", "new"},
			base.Add(time.Minute + time.Millisecond).UTC().Format(time.RFC3339Nano): {"c", "new"},
			fmt.Sprintf("%d-6", base.Add(time.Minute).UnixMilli()):                  {"c", "new"},
			"0-0": {"a", "b", "c", "new"},
		} {
			in, _ := openInput(t, url, "consumer_group: 'g-"+start+"'\nstart_offset: '"+start+"'")
			// Joining determines the position: all entries written from here on are new.
			require.Eventually(
				t,
				func() bool { return in.current().consumer.Owned() == 1 },
				time.Minute,
				time.Millisecond,
			)
			id := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: []string{"body", "new"}})
			require.NoError(t, id.Err())
			assert.Equal(t, want, consume(t, in, len(want)), start)
			require.NoError(t, in.Close(context.Background()))
			require.NoError(t, client.XDel(t.Context(), "orders", id.Val()).Err())
		}
	})
}

func TestLatestSkipsNothingAfterTheGroupIsCreated(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", "old")
	in, _ := openInput(t, server.URL(), "start_offset: latest")
	require.Eventually(t, func() bool { return in.current().consumer.Owned() == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, in.Close(context.Background()))
	write(t, client, "orders", "", "while nobody was there")
	again, _ := openInput(t, server.URL(), "start_offset: latest")
	assert.Equal(t, []string{"while nobody was there"}, consume(t, again, 1))
}

func TestNewPartitionsAreReadFromTheirFirstEntry(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, 1)
	in, _ := openInput(t, server.URL(), "start_offset: latest")
	require.Eventually(t, func() bool { return in.current().consumer.Owned() == 1 }, time.Minute, time.Millisecond)
	write(t, client, "orders:1", "", "early")
	require.NoError(t, client.HSet(t.Context(), "rafka:{orders}:topic", "partitions", 2).Err())
	assert.Equal(t, []string{"early"}, consume(t, in, 1))
}
