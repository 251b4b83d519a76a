package input

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// If an operator deletes a topic during reading, its unread entries are not a loss, even if the
// topic exists again before the members detect the deletion. New entries are read.
func TestTopicDeletedByAnOperatorIsNotALoss(t *testing.T) {
	for _, fields := range []string{"", "on_data_loss: fail"} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, created again at once: %v", fields, again), func(t *testing.T) {
				t.Parallel()
				server := redistest.Start(t)
				client := server.Client(t)
				createTopic(t, client, 2)
				in, journal, counters := countingInput(
					t,
					server.URL(),
					fields+"\nbatch_size: 1\npartition_buffer_bytes: '100'",
				)
				require.NoError(t, in.Connect(patient(t)))
				write(t, client, "orders:0", "", numbers(0, 10)...)
				assert.Equal(t, numbers(0, 3), consume(t, in, 3))
				_, err := admin.New(
					client,
				).DeleteTopic(
					t.Context(),
					admin.TopicDeletion{Topic: "orders", Force: true},
				)
				require.NoError(t, err)
				if again {
					createTopic(t, client, 2)
					write(t, client, "orders:0", "", "new")
				}
				require.Eventually(t, func() bool {
					return len(journal.Lines("level=INFO", "Topic orders was deleted")) > 0
				}, time.Minute, 10*time.Millisecond)
				if !again {
					createTopic(t, client, 2)
					write(t, client, "orders:0", "", "new")
				}
				isCommitted := func() bool {
					ids, err := client.XRange(t.Context(), "orders:0", "-", "+").Result()
					return err == nil && len(ids) == 1 && committed(t, client, "orders:0") == ids[0].ID
				}
				// A member that has not detected the deletion yet reads the new entry twice.
				seen := false
				for ctx := patient(t); !seen || !isCommitted(); {
					d, err := next(brief(t, 100*time.Millisecond), in)
					require.NoError(t, ctx.Err())
					if err == nil {
						seen = seen || bodies(t, d.batch)[0] == "new"
						require.NoError(t, d.ack(ctx, nil))
					}
				}
				for p := range 2 {
					for _, name := range []string{
						"rafka_fenced_total", "rafka_lost_entries_total", "rafka_recreated_total",
					} {
						assert.Zero(t, counters.Get(fmt.Sprintf("%s topic=orders partition=%d group=g", name, p)), name)
					}
				}
				assert.Empty(t, journal.Lines("level=ERROR"))
				assert.Empty(t, journal.Lines("level=WARN"))
			})
		}
	}
}

// A lease that another member takes by force is still counted as fenced.
func TestSeekIsNotCountedAsFenced(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", "a")
	in, journal, counters := countingInput(t, server.URL(), "")
	require.NoError(t, in.Connect(patient(t)))
	consume(t, in, 1)
	seek(t, client, "earliest")
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	assert.Zero(t, counters.Get("rafka_fenced_total topic=orders partition=0 group=g"))
	assert.Empty(t, journal.Lines("level=WARN"))
	require.NoError(t, client.HSet(t.Context(), "rafka:{orders}:lease:g", "epoch", "99", "owner", "").Err())
	require.Eventually(t, func() bool {
		return counters.Get("rafka_fenced_total topic=orders partition=0 group=g") == 1
	}, time.Minute, 10*time.Millisecond)
	assert.Len(t, journal.Lines("level=WARN", "Lost the lease"), 1)
}
