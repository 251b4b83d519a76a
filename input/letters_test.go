package input

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// quickLetters gives messages up soon.
const quickLetters = `
stream_name: orders
batch_size: 1
dead_letter:
  stream_name: orders-dead
  max_deliveries: 3
  backoff: 50ms
`

// rejectBad processes n batches of one message like an output that rejects messages whose bodies
// begin with "bad". It returns the bodies that the output accepted.
func rejectBad(t *testing.T, in *input, failure error, until func(accepted []string) bool) (accepted []string) {
	t.Helper()
	ctx := patient(t)
	for !until(accepted) {
		d, err := next(brief(t, time.Second), in)
		if errors.Is(err, context.DeadlineExceeded) {
			require.NoError(t, ctx.Err())
			continue
		}
		require.NoError(t, err)
		body := bodies(t, d.batch)[0]
		if strings.HasPrefix(body, "bad") {
			require.NoError(t, d.ack(ctx, failure))
			continue
		}
		accepted = append(accepted, body)
		require.NoError(t, d.ack(ctx, nil))
	}
	return accepted
}

func letters(t *testing.T, client *redis.Client) []redis.XMessage {
	t.Helper()
	all, err := client.XRange(t.Context(), "orders-dead", "-", "+").Result()
	require.NoError(t, err)
	return all
}

func TestMessageThatIsGivenUpBecomesALetterWithItsOrigin(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		keyed(t, client, "a1", "bad", "b2", "c1")
		bad := client.XRange(t.Context(), "orders", "-", "+").Val()[1]
		in, journal := openInput(t, url, quickLetters)
		began := time.Now().Add(-time.Second)
		accepted := rejectBad(t, in, errors.New("HTTP 422\nno such customer"), func(all []string) bool {
			return len(all) == 3
		})
		assert.Equal(t, []string{"a1", "c1", "b2"}, accepted, "a message of another key shows that the output works")
		all := letters(t, client)
		require.Len(t, all, 1)
		at, err := time.Parse(time.RFC3339, all[0].Values["rafka_origin_time"].(string))
		require.NoError(t, err)
		assert.WithinRange(t, at, began, time.Now().Add(time.Second))
		delete(all[0].Values, "rafka_origin_time")
		assert.Equal(t, map[string]any{
			"body": "bad", "rafka_key": "b",
			"rafka_origin_topic": "orders", "rafka_origin_partition": "0", "rafka_origin_offset": bad.ID,
			"rafka_origin_group": "g", "rafka_origin_deliveries": "4",
			"rafka_origin_error": "HTTP 422\nno such customer",
		}, all[0].Values)
		var lines []string // the input logs it when the next messages can be handed out already
		require.Eventually(t, func() bool {
			lines = journal.Lines("Gave up the message")
			return len(lines) > 0
		}, time.Minute, 10*time.Millisecond)
		require.Len(t, lines, 1)
		for _, part := range []string{
			"level=WARN", "partition orders-0", "HTTP 422", "dead_letter_topic=orders-dead", "deliveries=4",
			"rafka deadletter show orders-dead --origin-topic orders --origin-partition 0 --origin-offset " + bad.ID,
		} {
			assert.Contains(t, lines[0], part)
		}
		assert.NotEmpty(
			t,
			journal.Lines("keeps failing", "Failed attempts that count: ", " of 3, then it becomes a dead "+
				"letter in topic orders-dead. "),
			"a warning comes before the message is given up",
		)
		require.NoError(t, in.Close(context.Background()))
		again, _ := openInput(t, url, "")
		silent(t, again, 200*time.Millisecond)
	})
}

// A message that was a dead letter already keeps its origin, and the log names that one.
func TestLetterOfALetterIsFoundByTheLoggedCommand(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	dead := broker.Letter{Fields: []string{"body", "bad"}, Origin: broker.Origin{
		Topic: "first", Partition: 3, Offset: "7-7", Group: "billing", Time: time.Now(),
	}}
	values := append(dead.Encode(), "rafka_key", "k")
	require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: values}).Err())
	keyed(t, client, "c1")
	in, journal := openInput(t, server.URL(), quickLetters)
	rejectBad(t, in, errors.New("HTTP 422"), func([]string) bool { return len(letters(t, client)) > 0 })
	require.Eventually(t, func() bool {
		return len(journal.Lines("Gave up", "--origin-topic first --origin-partition 3 --origin-offset 7-7")) == 1
	}, time.Minute, 10*time.Millisecond)
}

// What the letters need is checked before the first message is read.
func TestInputWaitsForThePermissionsOfItsLetters(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	keyed(t, client, "bad", "c1")
	allow(t, client, access.ACL{})
	in, _ := closedInput(t, server.URL(), ann+quickLetters)
	err := in.Connect(patient(t))
	for _, word := range []string{"dead_letter: ", "orders-dead", "NOPERM", "ACL SETUSER <username> "} {
		require.ErrorContains(t, err, word)
	}
	assert.Equal(t, []string{"orders"}, client.Keys(t.Context(), "*").Val(), "nothing was written")
	failed := in.ConnectionTest(t.Context())
	require.Len(t, failed, 1)
	require.ErrorContains(t, failed[0].Err, "dead_letter: ")

	allow(t, client, access.ACL{Letters: "orders-dead", Minimal: true})
	require.NoError(t, reconnect(patient(t), in))
	accepted := rejectBad(t, in, errors.New("HTTP 422"), func(all []string) bool {
		return len(all) == 1 && len(letters(t, client)) == 1
	})
	assert.Equal(t, []string{"c1"}, accepted)
	passed := in.ConnectionTest(t.Context())
	require.Len(t, passed, 1)
	require.NoError(t, passed[0].Err)
}

// The engine's /ready shows what Connect returns.
func TestReasonWhyALetterCantBeWrittenIsReturned(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	keyed(t, client, "bad", "c1")
	in, journal := openInput(t, server.URL(), quickLetters+"read_timeout: 2s")
	require.NoError(t, client.Set(t.Context(), "orders-dead", "x", 0).Err())
	ctx := patient(t)
	for returned := false; !returned; {
		require.NoError(t, ctx.Err())
		d, err := nextOnce(brief(t, 10*time.Second), in)
		switch {
		case errors.Is(err, service.ErrNotConnected):
			err := in.Connect(brief(t, 10*time.Second))
			returned = err != nil && strings.Contains(err.Error(), "WRONGTYPE") &&
				strings.Contains(err.Error(), "can't be written")
		case bodies(t, d.batch)[0] == "bad":
			require.NoError(t, d.ack(ctx, errors.New("HTTP 422")))
		default:
			require.NoError(t, d.ack(ctx, nil))
		}
	}
	assert.Len(t, journal.Lines("level=ERROR", "its dead letter can't be written", "WRONGTYPE"), 1, "once a minute")
	require.NoError(t, client.Del(t.Context(), "orders-dead").Err())
	rejectBad(t, in, errors.New("HTTP 422"), func([]string) bool { return len(letters(t, client)) == 1 })
	require.Eventually(t, func() bool { return len(journal.Lines("Partition orders available again")) == 1 },
		time.Minute, 10*time.Millisecond)
}

// The count has the failures for which a message must be the cause, also those of earlier members.
func TestDeliveryCountSurvivesARestart(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		keyed(t, client, "a1")
		in, _ := openInput(t, url, "")
		delivered := func(count int) delivery {
			t.Helper()
			d := want(t, in, "a1")
			shown, _ := d.batch[0].MetaGetMut("rafka_delivery_count")
			require.Equal(t, count, shown)
			return d
		}
		for i := range 3 {
			require.NoError(t, delivered(i+1).ack(t.Context(), errors.New("HTTP 422")))
		}
		require.Eventually(t, func() bool {
			stored := client.HVals(t.Context(), "rafka:{orders}:failing:g").Val()
			return len(stored) == 1 && strings.HasPrefix(stored[0], "3 ")
		}, time.Minute, 10*time.Millisecond)
		require.NoError(t, in.Close(context.Background()))
		in, _ = openInput(t, url, "")
		accept(t, delivered(4))
	})
}

func TestCauseOfASingleMessageIsItsOwnError(t *testing.T) {
	one := service.MessageBatch{service.NewMessage(nil)}
	batch := func(n int) *splits.Batch { return &splits.Batch{Entries: make([]splits.Entry, n)} }
	failed := service.NewBatchError(one, errors.New("1 of 1 failed")).Failed(0, errors.New("HTTP 422"))
	assert.EqualError(t, causeOf(batch(1), fmt.Errorf("wrapped: %w", failed)), "HTTP 422")
	assert.EqualError(t, causeOf(batch(2), failed), "1 of 1 failed")
	assert.EqualError(t, causeOf(batch(1), service.NewBatchError(one, errors.New("all of it"))), "all of it")
	assert.EqualError(t, causeOf(batch(1), errors.New("plain")), "plain")
}
