package input

import (
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestMissingTopicAndGroupAreLoggedOnce(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	for url, want := range map[string]string{
		server.URL():        "topic orders does not exist yet; waiting for its first entry",
		server.URL() + "/5": "topic orders does not exist yet in database 5; waiting for its first entry",
	} {
		in, journal := openInput(t, url, "consumer_group: g")
		assert.Len(t, journal.Lines("level=INFO", want), 1)
		assert.Len(t, journal.Lines("does not exist yet"), 1)
		assert.Empty(t, journal.Lines("level=ERROR"))
		for _, result := range in.ConnectionTest(t.Context()) {
			require.NoError(t, result.Err)
		}
		assert.Len(t, journal.Lines("level=INFO", want), 2, "rafka check logs it too")
	}
	write(t, client, "orders", "", "a")
	in, journal := openInput(t, server.URL(), "consumer_group: other")
	assert.Len(
		t,
		journal.Lines("level=INFO", "group other of topic orders does not exist yet: it starts at start_offset"),
		1,
	)
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	require.NoError(t, in.Close(t.Context()))
	again, journal := openInput(t, server.URL(), "consumer_group: other")
	assert.Empty(t, journal.Lines("does not exist yet"))
	silent(t, again, 100*time.Millisecond)
}

// The engine's /ready shows the error that Connect returned, and nothing before Connect returns.
func TestConnectReturnsWhyTheInputWaits(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, 1)
	require.NoError(t, client.RPush(t.Context(), "orders:0", "x").Err())
	in, _ := closedInput(t, server.URL(), "")
	ctx := patient(t)
	cause := in.Connect(ctx)
	for cause == nil { // no attempt to read the partition has been made yet
		_, _, err := in.ReadBatch(ctx)
		require.ErrorIs(t, err, service.ErrNotConnected)
		cause = in.Connect(ctx)
	}
	require.ErrorAs(t, cause, new(*service.ErrBackOff))
	assert.ErrorContains(t, cause, "WRONGTYPE")
	assert.ErrorContains(t, cause, "orders:0")
}
