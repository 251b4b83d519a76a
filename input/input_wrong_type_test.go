package input

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// A failure of one partition does not stop the others.
func TestPartitionOfAnotherTypeStopsNoOther(t *testing.T) {
	for _, when := range []string{"at the start", "while running"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			createTopic(t, client, 4)
			damage := func() { require.NoError(t, client.Set(t.Context(), "orders:3", "x", 0).Err()) }
			if when == "at the start" {
				damage()
			}
			in, journal := closedInput(t, server.URL(), "")
			if when == "while running" {
				require.NoError(t, in.Connect(patient(t)))
				require.Eventually(
					t,
					func() bool { return in.current().consumer.Owned() == 4 },
					time.Minute,
					time.Millisecond,
				)
				damage()
			}
			for range 3 {
				for p := range 3 {
					write(t, client, fmt.Sprintf("orders:%d", p), "", numbers(10*p, 10*p+10)...)
				}
				consume(t, in, 30)
			}
			lost(t, in)
			oneLine(t, journal, "orders:3", "WRONGTYPE", "rename or delete that key")

			require.NoError(t, client.Del(t.Context(), "orders:3").Err())
			write(t, client, "orders:3", "", "mended")
			assert.Equal(t, []string{"mended"}, consume(t, in, 1))
			require.NoError(t, in.Connect(patient(t)))
			oneLine(t, journal)
			assert.Eventually(
				t,
				func() bool { return len(journal.Lines("available again")) == 1 },
				time.Minute,
				time.Millisecond,
			)
		})
	}
}

// The error names a key of rafka that has another type.
func TestRafkaKeyOfAnotherTypeIsNamed(t *testing.T) {
	for what, key := range map[string]string{
		"members": "rafka:{orders}:members:g", "plan": "rafka:{orders}:plan:g",
		"metadata": "rafka:{orders}:topic", "lease": "rafka:{orders}:lease:g",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			write(t, client, "orders", "", "a")
			require.NoError(t, client.RPush(t.Context(), key, "x").Err())
			in, journal := closedInput(t, server.URL(), "")
			lost(t, in)
			oneLine(t, journal, "WRONGTYPE", key, "rename or delete that key")
			require.NoError(t, client.Del(t.Context(), key).Err())
			assert.Equal(t, []string{"a"}, consume(t, in, 1))
			oneLine(t, journal)
		})
	}
}

func TestGroupOfAnotherTypeIsRejectedWithTheRemedy(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	require.NoError(t, client.HSet(t.Context(), "rafka:{orders}:plan:g", "group_type", "share").Err())
	in, journal := closedInput(t, server.URL(), "")
	require.Error(t, in.Connect(brief(t, time.Second)))
	oneLine(t, journal, "is a share group", "use another consumer_group")
	assert.Empty(t, journal.Lines("cannot be reached"))
}
