package input

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestEverythingWrittenAfterAFlushIsRead(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, 3)
	in, journal := openInput(t, server.URL(), "start_offset: latest")
	require.Eventually(t, func() bool { return in.current().consumer.Owned() == 3 }, 5*time.Second, time.Millisecond)
	write(t, client, "orders:0", "", "before")
	assert.Equal(t, []string{"before"}, consume(t, in, 1))
	require.NoError(t, client.FlushAll(t.Context()).Err())
	write(t, client, "orders:0", "", "first")
	write(t, client, "orders:2", "", "second")
	seen := map[string]bool{}
	for len(seen) < 2 {
		seen[consume(t, in, 1)[0]] = true
	}
	require.Eventually(t, func() bool {
		return client.Exists(t.Context(), "rafka:{orders:0}:lease:g", "rafka:{orders:1}:lease:g", "rafka:{orders:2}:lease:g").Val() == 3
	}, 10*time.Second, 10*time.Millisecond, "it claims its partitions anew")
	write(t, client, "orders:1", "", "third")
	for !seen["third"] {
		seen[consume(t, in, 1)[0]] = true
	}
	assert.Equal(t, map[string]bool{"first": true, "second": true, "third": true}, seen)
	assert.Zero(t, client.Exists(t.Context(), "rafka:{orders}:lease:g").Val(), "it never takes the topic for a plain one")
	assert.NotEmpty(t, journal.Lines("Lost the lease"))
}

func TestPartitionThatIsDeletedGoesOn(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, 2)
	in, _ := openInput(t, server.URL(), "")
	write(t, client, "orders:0", "", "a")
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	require.NoError(t, client.Del(t.Context(), "orders:0").Err())
	write(t, client, "orders:0", "", "b")
	write(t, client, "orders:1", "", "c")
	got := consume(t, in, 2)
	slices.Sort(got)
	assert.Equal(t, []string{"b", "c"}, got)
}
