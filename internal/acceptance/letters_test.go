package acceptance

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// The tests in this file are not parallel to others: all inputs of the process share what counts as a
// failure.

// A message that the sink always rejects becomes one dead letter, and a replay brings it back once.
func TestMessageThatIsAlwaysRejectedBecomesOneDeadLetter(t *testing.T) {
	for name, fields := range map[string]string{
		"partition": "ordering: partition",
		"key":       "ordering: key",
		"none":      "ordering: none",
		"share":     "group_type: share",
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			client := server.Client(t)
			createOrders(t, client, 2)
			out := newSink(map[string]error{"37": errBad})
			writeOrders(t, client, 2, 0, 100)
			p := out.start(t, server.URL(), letterFields+fields, "")
			written := writeUntilLetters(t, client, 2, 100)
			out.await(t, written-1)
			letter := deadLetters(t, client)[0]
			assert.Equal(t, "37", letter.Values["body"])
			assert.Equal(t, "7", letter.Values["rafka_key"])
			assert.Equal(t, "orders", letter.Values["rafka_origin_topic"])
			assert.Equal(t, "1", letter.Values["rafka_origin_partition"])
			assert.Equal(t, "billing", letter.Values["rafka_origin_group"])
			assert.Equal(t, errBad.Error(), letter.Values["rafka_origin_error"])
			failed, err := strconv.Atoi(fmt.Sprint(letter.Values["rafka_origin_deliveries"]))
			require.NoError(t, err)
			assert.GreaterOrEqual(t, failed, 4)
			origin, _ := letter.Values["rafka_origin_offset"].(string)
			at, err := client.XRange(t.Context(), "orders:1", origin, origin).Result()
			require.NoError(t, err)
			require.Len(t, at, 1)
			assert.Equal(t, "37", at[0].Values["body"])

			const counter = "rafka_dead_lettered_total{group=billing,partition=1,topic=orders}"
			require.Eventually(t, func() bool {
				return len(p.journal.Lines("Gave up the message", "--origin-offset "+origin)) == 1
			}, time.Minute, 10*time.Millisecond)
			awaitEnd(t, client, "orders:1")
			out.requireOnce(t, orders(0, written, "37"))

			out.accept("37")
			require.Equal(t, 1, replay(t, client))
			out.await(t, written)
			require.Zero(t, replay(t, client))
			writeOrders(t, client, 2, written, written+10)
			out.await(t, written+10)
			out.requireOnce(t, orders(0, written+10))
			assert.Len(t, deadLetters(t, client), 1)
			counted, _ := p.metrics.get(counter)
			assert.InDelta(t, 1, counted, 0)
		})
	}
}

// While letters can't be written, nothing is lost, and /ready has the reason.
func TestDeadLettersThatCantBeWrittenLoseNothing(t *testing.T) {
	for name, c := range map[string]struct {
		damage, repair action
		cause          string
	}{
		"wrong type": {
			do([]any{"SET", "orders-dead", "x"}), do([]any{"DEL", "orders-dead"}), "WRONGTYPE",
		},
		"no rights": {
			do(ann("resetkeys", "~orders", "~rafka:{orders}:*")), do(ann("~*")), "orders-dead",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			client := server.Client(t)
			do(everything)(t, server, client)
			out := newSink(map[string]error{"5": errBad})
			p := out.start(t, server.URL(), letterFields+asAnn, "")
			p.awaitReady(t, http.StatusOK)
			c.damage(t, server, client)
			written := writeUntil(t, client, 0, 0, "the letter can't be written", func() bool {
				return len(p.journal.Lines("its dead letter can't be written")) > 0
			})
			p.awaitCause(t, "input", c.cause)
			tries := out.deliveries()["5"]
			writeOrders(t, client, 0, written, written+10)
			require.Eventually(t, func() bool { return out.deliveries()["5"] >= tries+2 }, time.Minute,
				5*time.Millisecond, "the message is retried")
			offset, err := client.HGet(t.Context(), "rafka:{orders}:lease:billing", "offset").Result()
			require.NoError(t, err)
			passed, err := client.XRange(t.Context(), "orders", "-", offset).Result()
			require.NoError(t, err)
			require.LessOrEqual(t, len(passed), 5, "the offset has not passed the message")

			c.repair(t, server, client)
			require.Equal(t, "5", awaitLetters(t, client, 1)[0].Values["body"])
			out.await(t, written+9)
			awaitEnd(t, client, "orders")
			p.awaitReady(t, http.StatusOK)
			out.requireOnce(t, orders(0, written+10, "5"))
			assert.Len(t, deadLetters(t, client), 1)
		})
	}
}

// An outage of the sink moves nothing to the dead letters, although messages fail more often than a
// message may, and for longer. /ready has the reason, and everything is written when the outage
// ends.
func TestOutageOfTheSinkFillsNoDeadLetters(t *testing.T) {
	for name, more := range map[string]string{
		"partition": "ordering: partition",
		"key":       "ordering: key",
		"share":     "group_type: share",
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			client := server.Client(t)
			createOrders(t, client, 2)
			out := newSink(nil)
			const fields = "dead_letter: {stream_name: orders-dead, max_deliveries: 1, backoff: 20ms, min_age: 50ms}\n"
			p := out.start(t, server.URL(), fields+"batch_size: 1\n"+more, "")
			written := 100
			writeOrders(t, client, 2, 0, written)
			out.await(t, written)
			out.setDown(true)
			for range 20 { // under load
				writeOrders(t, client, 2, written, written+10)
				written += 10
			}
			p.awaitCause(t, "input", "what processes them probably fails itself")
			require.Eventually(t, func() bool { return len(out.deliveries()) >= 100+5 }, time.Minute,
				5*time.Millisecond, "several messages have failed, and each of them alone")
			require.Empty(t, deadLetters(t, client), "during the outage")

			out.setDown(false)
			out.await(t, written)
			for i := range 2 {
				awaitEnd(t, client, fmt.Sprintf("orders:%d", i))
			}
			p.awaitReady(t, http.StatusOK)
			out.requireOnce(t, orders(0, written))
			assert.Empty(t, deadLetters(t, client))
			assert.Len(t, p.journal.Lines("level=ERROR", "The output seems to be down"), 1)
			assert.Len(t, p.journal.Lines("Messages are processed again"), 1)
			assert.Empty(t, p.journal.Lines("Gave up"))
		})
	}
}

// A message whose error matches is given up at the first failure that counts, another one is not.
func TestErrorThatMatchesIsGivenUpImmediately(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	writeOrders(t, client, 0, 0, 30)
	out := newSink(map[string]error{"14": errBad, "15": errors.New("HTTP 500")})
	const fields = "dead_letter: {stream_name: orders-dead, max_deliveries: 1000, backoff: 20ms, " +
		"match: ['HTTP 4\\d\\d']}\n"
	out.start(t, server.URL(), fields+"ordering: key", "")
	letter := awaitLetters(t, client, 1)[0]
	assert.Equal(t, "14", letter.Values["body"])
	assert.Equal(t, "1", letter.Values["rafka_origin_deliveries"])
	assert.Equal(t, errBad.Error(), letter.Values["rafka_origin_error"])
	tries := out.deliveries()["15"]
	require.Eventually(t, func() bool { return out.deliveries()["15"] >= tries+3 }, time.Minute, 5*time.Millisecond)
	assert.Len(t, deadLetters(t, client), 1)
	out.accept("15")
	out.await(t, 29)
	out.requireOnce(t, orders(0, 30, "14"))
	assert.Len(t, deadLetters(t, client), 1)
}

// With `ordering: key`, a message that is about to be given up delays only newer messages of its
// own key.
func TestOtherKeysDontWaitForADeadLetter(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	writeOrders(t, client, 0, 0, 100)
	out := newSink(map[string]error{"7": errBad})
	const fields = "dead_letter: {stream_name: orders-dead, max_deliveries: 4, backoff: 4s}\n"
	out.start(t, server.URL(), fields+"ordering: key", "")
	out.await(t, 90)
	writeOrders(t, client, 0, 100, 200)
	out.await(t, 180)
	require.Empty(t, deadLetters(t, client), "all messages of other keys are written before")
	for _, text := range out.got() {
		require.False(t, strings.HasSuffix(text, "7"), "%s has the key of the failing message", text)
	}
	require.Equal(t, "7", awaitLetters(t, client, 1)[0].Values["body"])
	out.await(t, 199)
	var same []string
	for _, text := range out.got() {
		if strings.HasSuffix(text, "7") {
			same = append(same, text)
		}
	}
	assert.Equal(t, strings.Fields("17 27 37 47 57 67 77 87 97 107 117 127 137 147 157 167 177 187 197"), same)
	out.requireOnce(t, orders(0, 200, "7"))
}

// The output merges the batches of four partitions, and rejects all of them for one bad message.
func TestDeadLetterBehindABatchingOutputIsTheBadMessage(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createOrders(t, client, 4)
	writeOrders(t, client, 4, 0, 400)
	out := newSink(map[string]error{"202": errBad})
	out.start(t, server.URL(), letterFields, "batching: {count: 200, period: 20ms}")
	written := writeUntilLetters(t, client, 4, 400)
	out.await(t, written-1)
	for i := range 4 {
		awaitEnd(t, client, fmt.Sprintf("orders:%d", i))
	}
	out.requireOnce(t, orders(0, written, "202"))
	letters := deadLetters(t, client)
	require.Len(t, letters, 1)
	assert.Equal(t, "202", letters[0].Values["body"])
}
