package output

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// runEngine starts the output in the real engine, and returns the function that passes batches to
// it.
func runEngine(t *testing.T, output string) service.MessageBatchHandlerFunc {
	t.Helper()
	builder := service.GlobalEnvironment().NewStreamBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	send, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	require.NoError(t, builder.AddOutputYAML(output))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by StopWithin
	t.Cleanup(func() {
		require.NoError(t, stream.StopWithin(4*time.Second))
		require.NoError(t, <-ended)
	})
	return send
}

// sendAll sends each text as a batch, all concurrently, and returns the result of each.
func sendAll(t *testing.T, send service.MessageBatchHandlerFunc, texts []string) []error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	errs := make([]error, len(texts))
	var all sync.WaitGroup
	for i, text := range texts {
		all.Go(func() { errs[i] = send(ctx, service.MessageBatch{message(text)}) })
	}
	all.Wait()
	require.NoError(t, ctx.Err())
	return errs
}

// allBodies returns the bodies of the existing streams.
func allBodies(t *testing.T, client *redis.Client, streams ...string) []string {
	t.Helper()
	var all []string
	for _, stream := range streams {
		all = append(all, bodies(t, client, stream)...)
	}
	return all
}

const tooLong = 2000

// The output rejects the piece that is too long, whatever its position in the message and whatever
// divided the message.
func TestFailedPieceIsNotAcknowledged(t *testing.T) {
	const inner = "max_message_bytes: 1KB\nmax_in_flight: 1\n"
	server := redistest.Start(t)
	unarchive := "processors: [ { unarchive: { format: json_array } } ]"
	for name, output := range map[string]string{
		"processors of batching": "rafka: { url: $URL, stream_name: main, " + flow(inner) +
			", batching: { count: 4, period: 50ms, " + unarchive + " } }",
		"several processors of batching": "rafka: { url: $URL, stream_name: main, " + flow(inner) +
			", batching: { count: 4, period: 50ms, processors: " +
			"[ { unarchive: { format: json_array } }, { split: { size: 2 } } ] } }",
		"processors of the batching of a broker": "broker: { pattern: greedy, outputs: " +
			"[ { rafka: { url: $URL, stream_name: main, " + flow(inner) + " } } ], " +
			"batching: { count: 4, period: 50ms, " + unarchive + " } }",
		"processors of the output": "rafka: { url: $URL, stream_name: main, " + flow(inner) +
			", batching: { count: 4, period: 50ms } }\n" + unarchive,
	} {
		for place := range 3 {
			for _, behind := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/fallback %v", name, place, behind), func(t *testing.T) {
					t.Parallel()
					topic := strings.NewReplacer(" ", "-", "/", "-").Replace(t.Name())
					yaml := strings.NewReplacer("$URL", server.URL(), "main", topic).Replace(output)
					if behind {
						yaml = "fallback:\n  - " + strings.ReplaceAll(yaml, "\n", "\n    ") +
							"\n  - rafka: { url: " + server.URL() + ", stream_name: " + topic + "-refused }"
					}
					texts := make([]string, 8)
					for i := range texts {
						pieces := []string{fmt.Sprintf(`"%d.0"`, i), fmt.Sprintf(`"%d.1"`, i), fmt.Sprintf(`"%d.2"`, i)}
						if i%4 == 1 {
							pieces[place] = fmt.Sprintf(`"%d.%d %s"`, i, place, strings.Repeat("x", tooLong))
						}
						texts[i] = "[" + strings.Join(pieces, ",") + "]"
					}
					errs := sendAll(t, runEngine(t, yaml), texts)
					all := strings.Join(allBodies(t, server.Client(t), topic, topic+"-refused"), " ")
					for i, err := range errs {
						if err != nil {
							assert.False(t, behind, "the fallback takes everything: %v", err)
							continue
						}
						for piece := range 3 {
							assert.Contains(t, all, fmt.Sprintf("%d.%d", i, piece), "it was acknowledged")
						}
					}
					assert.True(
						t,
						behind || errs[1] != nil && errs[5] != nil,
						"a message with a rejected piece fails: %v",
						errs,
					)
				})
			}
		}
	}
}

// flow turns lines of fields into the content of a YAML flow mapping.
func flow(lines string) string { return strings.ReplaceAll(strings.TrimSpace(lines), "\n", ", ") }

// Processors in batching that sort or drop messages leave the mark of one message on another. Then
// a rejected message was acknowledged, and another one was written twice.
func TestBatchingProcessorsThatMoveMessagesLoseNone(t *testing.T) {
	for name, processors := range map[string]string{
		"swap": "{ select_parts: { parts: [1, 0] } }",
		"sort": `{ archive: { format: lines } }, ` +
			`{ mapping: 'root = content().string().split("\n").sort().reverse().join("\n")' }, ` +
			`{ unarchive: { format: lines } }`,
		"filter": `{ mapping: 'root = if content().string() == "a" { deleted() }' }`,
		"group":  `{ group_by_value: { value: '${! content().length() > 1000 }' } }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			send := runEngine(t, "rafka: { url: "+server.URL()+", stream_name: main, max_message_bytes: 1KB, "+
				"batching: { count: 2, period: 1s, processors: ["+processors+"] } }")
			long := "z" + strings.Repeat("x", tooLong)
			for range 3 { // the two can arrive in either order
				errs := sendAll(t, send, []string{"a", long})
				require.Error(t, errs[1], "the rejected message must not be acknowledged")
			}
		})
	}
}

// If nothing moved the marks, only the bad messages of a batch fail, even if the batch was made
// from several.
func TestOnlyTheBadMessagesOfABatchFail(t *testing.T) {
	server := redistest.Start(t)
	send := runEngine(
		t,
		"rafka: { url: "+server.URL()+", stream_name: main, max_message_bytes: 1KB, "+
			"batching: { count: 4, period: 50ms } }",
	)
	long := strings.Repeat("x", tooLong)
	errs := sendAll(t, send, []string{"a", long, "b", long})
	assert.Equal(
		t,
		[]bool{false, true, false, true},
		[]bool{errs[0] != nil, errs[1] != nil, errs[2] != nil, errs[3] != nil},
		"%v",
		errs,
	)
	assert.ElementsMatch(t, []string{"a", "b"}, bodies(t, server.Client(t), "main"))
}

func TestErrorOfAWholeBatchGivesTheReason(t *testing.T) {
	batch := service.MessageBatch{message("a"), message("b")}
	j := newJob(make([]outgoing, 2), []error{nil, errors.New("too long")})
	err := j.result(batch, true)
	var named *service.BatchError
	assert.NotErrorAs(t, err, &named, "no message is named")
	assert.EqualError(
		t,
		err,
		"1 of 2 messages were not written, the first because: too long; the whole batch of 2 fails, because "+
			"processors in batching hide which messages failed",
	)
	assert.EqualError(t, newJob(nil, []error{errors.New("too long")}).result(batch[:1], true), "too long")
	assert.NoError(t, newJob(nil, []error{nil, nil}).result(batch, true))
}
