package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
)

// writeLetters writes n letters of topic orders to orders-dead. The errors end in the number.
func writeLetters(t *testing.T, client *redis.Client, n int) {
	t.Helper()
	add(t, client, "orders", "5-1")
	letters := broker.NewLetters(client, "orders-dead")
	for i := range n {
		require.NoError(t, letters.Write(t.Context(), broker.Letter{
			Fields: []string{"body", "order\x1b[31m " + strings.Repeat("x", 20), "rafka_key", fmt.Sprint("k", i)},
			Origin: broker.Origin{
				Topic: "orders", Offset: fmt.Sprint(7+i, "-0"), Group: "billing", Deliveries: 5,
				Error: "HTTP\t422 " + fmt.Sprint(i), Time: time.UnixMilli(1767225600000),
			},
		}))
	}
}

var offsets = regexp.MustCompile(`\d{13}-\d+`)

// steady replaces offsets and times in a text, so that it can be compared.
func steady(text string) string { return offsets.ReplaceAllString(timeless(text), "OFFSET") }

func TestDeadletterListCommand(t *testing.T) {
	_, client := startRedis(t)
	fails(t, []string{"deadletter", "list", "orders-dead"}, `there is no topic "orders-dead"`)
	writeLetters(t, client, 3)
	o := rafka(t, "deadletter", "list", "orders-dead", "--limit", "2")
	assert.Empty(t, o.stderr)
	assert.Equal(t, []string{
		"PARTITION OFFSET GROUP ORIGIN DELIVERIES TIME REPLAYED ERROR",
		`0 OFFSET billing orders-0 7-0 5 TIME - HTTP\t422 0`,
		`0 OFFSET billing orders-0 8-0 5 TIME - HTTP\t422 1`,
		"note: there are more letters: raise --limit, or select fewer",
	}, words(steady(o.stdout)))

	long := strings.Repeat("x", 3*listedBytes)
	values := []string{
		"rafka_origin_topic", "orders", "rafka_origin_partition", "0", "rafka_origin_offset", "9-0",
		"rafka_origin_group", "billing", "rafka_origin_error", "HTTP 422 2", "rafka_key", "k2", "body", long,
	}
	require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders-dead", Values: values}).Err())
	o = rafka(t, "deadletter", "list", "orders-dead", "--error", "HTTP 422 2", "--format", "json")
	var list struct {
		Letters []struct {
			Bytes  int           `json:"bytes"`
			Key    string        `json:"key"`
			Origin broker.Origin `json:"origin"`
		} `json:"letters"`
		More bool `json:"more"`
	}
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &list))
	require.Len(t, list.Letters, 1)
	assert.Equal(t, "k2", list.Letters[0].Key)
	assert.Equal(t, len(strings.Join(values, "")), list.Letters[0].Bytes)
	assert.Equal(t, "9-0", list.Letters[0].Origin.Offset)
	assert.False(t, list.More)

	fails(t, []string{"deadletter", "list", "orders-dead", "--limit", "0"}, "--limit is 0")
	fails(t, []string{"deadletter", "list", "orders-dead", "--partition", "-3"}, "--partition is negative")
	fails(t, []string{"deadletter", "list", "orders-dead", "--error-regex", "("}, "error-regex: ")
}

// words returns the lines of a table with one space between words.
func words(text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestDeadletterShowCommand(t *testing.T) {
	_, client := startRedis(t)
	writeLetters(t, client, 2)
	id := client.XRange(t.Context(), "orders-dead", "-", "+").Val()[1].ID
	o := rafka(t, "deadletter", "show", "orders-dead", "--offset", id, "--max-bytes", "12")
	assert.Empty(t, o.stderr)
	assert.Equal(t, []string{
		"Letter: partition 0, offset OFFSET", "Key: k1", "Replayed: -", "",
		"FIELD VALUE",
		`body order\x1b[31m x... (31 bytes)`,
		"rafka_key k1",
		"rafka_origin_topic orders",
		"rafka_origin_partition 0",
		"rafka_origin_offset 8-0",
		"rafka_origin_group billing",
		"rafka_origin_deliveries 5",
		`rafka_origin_error HTTP\t422 1`,
		"rafka_origin_time 2026-01-01T0... (24 bytes)",
	}, words(steady(o.stdout)))
	o = rafka(t, "deadletter", "show", "orders-dead", "--limit", "1", "--max-bytes", "12", "--format", "json")
	assert.Contains(t, o.stdout, `"bytes": 31`)
	assert.NotContains(t, o.stdout, strings.Repeat("x", 3))
	requireEscaped(t, o.stdout)
}

func TestDeadletterReplayCommand(t *testing.T) {
	_, client := startRedis(t)
	writeLetters(t, client, 3)
	add(t, client, "orders-dead", "*")
	replay := []string{"deadletter", "replay", "orders-dead", "--group", "billing"}
	const others = "note: entries of the topic that are not dead letters stay unchanged: 1\n"
	fails(t, replay, "nothing was replayed", "--dry-run", "--yes")
	succeeds(t, "would replay 3 letters of topic orders-dead\n"+others, append(replay, "--dry-run")...)
	assert.EqualValues(t, 1, client.XLen(t.Context(), "orders").Val())

	succeeds(t, "replayed 1 letter of topic orders-dead\n"+others, append(replay, "--error", "422 1", "--yes")...)
	succeeds(t, "replayed 2 letters of topic orders-dead\n"+others, append(replay, "--yes")...)
	succeeds(t, "replayed 0 letters of topic orders-dead\n"+others, append(replay, "--yes")...)
	require.NoError(t, client.Del(t.Context(), "rafka:{orders-dead}:replayed").Err())
	succeeds(t, "replayed 3 letters of topic orders-dead, of which an earlier replay had written 3\n"+others,
		append(replay, "--yes")...)
	entries := client.XRange(t.Context(), "orders", "(5-1", "+").Val()
	require.Len(t, entries, 3)
	assert.Equal(t, "billing", entries[0].Values["rafka_replay_group"])
	assert.Len(t, entries[0].Values, 3)

	o := rafka(t, "deadletter", "list", "orders-dead", "--replayed")
	assert.Equal(t, 3, strings.Count(strings.Join(words(steady(o.stdout)), "\n"), " TIME TIME "), o.stdout)
}

func TestDeadletterReplayReportsWhatItCannotWrite(t *testing.T) {
	_, client := startRedis(t)
	writeLetters(t, client, 2)
	require.NoError(t, client.Del(t.Context(), "orders").Err())
	o := rafka(t, "deadletter", "replay", "orders-dead", "--yes", "--format", "json")
	assert.Equal(t, 1, o.code)
	assert.JSONEq(t, `{"stream_name": "orders-dead", "dry_run": false, "letters": 0, "failed": 2, "other_entries": 0}`,
		o.stdout)
	assert.Contains(t, o.stderr, "2 letters were not replayed, repeat the command when the cause is corrected: ")
	assert.Contains(t, o.stderr, `there is no topic "orders"`)
	assert.Zero(t, client.Exists(t.Context(), "orders").Val())
}

func TestDeadletterPurgeCommand(t *testing.T) {
	_, client := startRedis(t)
	writeLetters(t, client, 3)
	purge := []string{"deadletter", "purge", "orders-dead"}
	fails(t, purge, "nothing was deleted", "--dry-run", "--yes deletes the selected letters of topic orders-dead")
	succeeds(t, "would delete 3 letters of topic orders-dead\n", append(purge, "--dry-run")...)
	succeeds(t, "deleted 0 letters of topic orders-dead\n", append(purge, "--replayed", "--yes")...)
	require.Zero(t, rafka(t, "deadletter", "replay", "orders-dead", "--error", "422 2", "--yes").code)
	succeeds(t, "deleted 1 letter of topic orders-dead\n", append(purge, "--replayed", "--yes")...)
	o := rafka(t, append(purge, "--yes", "--format", "json")...)
	assert.JSONEq(t, `{"stream_name": "orders-dead", "dry_run": false, "letters": 2, "other_entries": 0}`, o.stdout)
	assert.Zero(t, client.XLen(t.Context(), "orders-dead").Val())
}

func TestProgressIsOneLineOnATerminal(t *testing.T) {
	var out strings.Builder
	p := &progress{to: &out}
	for i := range 3 {
		p.show(&admin.LetterScan{Total: 1000, Seen: int64(i)}, i, "replayed")
	}
	p.end()
	assert.Equal(t, "\r\x1b[K0 of 1000 entries read, 0 replayed\r\x1b[K", out.String())
	out.Reset()
	none := newProgress(&out) // not a terminal
	none.show(&admin.LetterScan{}, 1, "replayed")
	none.end()
	assert.Empty(t, out.String())
}
