package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
)

// hostile is a text that another program could have written into a key of rafka: escape sequences
// of seven and eight bits, a forged row, a change of direction, zero-width characters, and an
// invalid byte.
const hostile = "\x1b]0;owned\x07\x1b[2J\u009b31mevil\nPARTITION\tOWNER\r" +
	"\u202egpj\u2066\u200b\ufeff\u2028\U000e0041\x7f\xff"

// requireEscaped fails the test if the text contains a character that controls a terminal.
func requireEscaped(t *testing.T, text string, what ...any) {
	t.Helper()
	require.True(t, utf8.ValidString(text), what...)
	for _, r := range text {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			require.Fail(t, "not escaped", "%U in %q of %v", r, text, what)
		}
	}
}

// A user with the permissions of an input can write names of members, owners and types.
func TestCommandsEscapeTextsFromRedis(t *testing.T) {
	_, client := startRedis(t)
	ctx := t.Context()
	succeeds(t, "created topic orders with 2 partitions\n", "topic", "create", "orders", "-p", "2")
	later := float64(client.Time(ctx).Val().UnixMilli() + 600_000)
	require.NoError(
		t,
		client.HSet(ctx, "rafka:{orders}:plan:billing", "group_type", "consumer", "version", "1", "plan", "{}").Err(),
	)
	require.NoError(t, client.ZAdd(ctx, "rafka:{orders}:members:billing", redis.Z{Score: later, Member: hostile}).Err())
	require.NoError(t, client.HSet(ctx, "rafka:{orders:0}:lease:billing",
		"owner", hostile, "expires_ms", int64(later), "epoch", "5", "offset", "0-0", "read", "0").Err())
	require.NoError(t, client.HSet(ctx, "rafka:{orders:1}:lease:billing", "owner", hostile, "offset", hostile).Err())
	require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: "orders:0", Values: []string{hostile, hostile}}).Err())
	for _, topic := range []string{"orders", hostile} {
		require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: "dead", Values: []string{
			"body", hostile, "rafka_key", hostile, "rafka_origin_topic", topic, "rafka_origin_partition", "0",
			"rafka_origin_offset", hostile, "rafka_origin_group", hostile, "rafka_origin_error", hostile,
		}}).Err())
	}
	require.NoError(t, client.HSet(ctx, "rafka:{damaged}:topic", "partitions", hostile).Err())
	require.NoError(
		t,
		client.HSet(
			ctx,
			"rafka:{damaged}:plan:g",
			"group_type",
			hostile,
			"version",
			hostile,
			"partitions",
			hostile,
		).Err(),
	)
	for _, command := range []string{
		"topic list", "topic describe orders", "topic describe damaged", "topic delete orders --dry-run", "topic " +
			"delete orders --yes",
		"topic delete damaged --dry-run", "topic create damaged -p 1", "topic grow damaged -p 7",
		"group list", "group describe billing --topic orders", "group describe g --topic damaged", "group delete " +
			"billing --topic orders --yes",
		"group skip billing --topic orders --partition 0", "group skip billing --topic orders --partition 1",
		"deadletter list dead", "deadletter show dead", "deadletter replay dead --yes", "deadletter purge dead --yes",
		"group seek billing --topic orders --to earliest --dry-run", "group seek billing --topic orders --to 5-0",
	} {
		for _, format := range []string{"text", "json"} {
			o := rafka(t, append(strings.Fields(command), "--format", format)...)
			requireEscaped(t, o.stdout, command, format)
			requireEscaped(t, o.stderr, command, format)
			assert.NotEqual(
				t,
				o.code == 0,
				o.stderr != "",
				"%s: errors, and nothing else, are on stderr: %s",
				command,
				o.stderr,
			)
			if format == "json" && o.stdout != "" {
				assert.True(t, json.Valid([]byte(o.stdout)), command)
			}
		}
	}
	o := rafka(t, "group", "describe", "billing", "--topic", "orders")
	assert.Equal(t, 1, strings.Count(o.stdout, "\nPARTITION "), "no row is forged: %s", o.stdout)
}

func TestEscapedJSONIsTheSameValue(t *testing.T) {
	value := []string{strings.ToValidUTF8(hostile, "?"), "größe 日 🐘", `"\ <>&`}
	var out bytes.Buffer
	require.NoError(t, printer{&out, formatJSON}.print(value, nil))
	requireEscaped(t, out.String())
	assert.Contains(t, out.String(), "größe 日 🐘")
	var back []string
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	assert.Equal(t, value, back)
}

func TestCheckEscapesTextsFromAServer(t *testing.T) {
	_, client := startRedis(t)
	require.NoError(t, client.HSet(t.Context(), "rafka:{orders}:topic", "partitions", hostile).Err())
	o := rafka(t, "check", writeFile(t, "rafka.yaml",
		"input:\n  rafka: { url: '${RAFKA_URL}', stream_name: orders, consumer_group: g }\noutput: { drop: {} }\n"))
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stdout, `\x1b`)
	requireEscaped(t, o.stdout)
	requireEscaped(t, o.stderr)
}

// Damaged items are on stderr, one per line, and the others on stdout.
func TestListsShowIntactItemsDespiteDamagedOnes(t *testing.T) {
	_, client := startRedis(t)
	ctx := t.Context()
	for _, name := range []string{"mine", "orders", "payments", "yours"} {
		require.Zero(t, rafka(t, "topic", "create", name, "-p", "2").code)
	}
	require.NoError(t, client.HSet(ctx, "rafka:{mine}:topic", "partitions", "x").Err())
	require.NoError(t, client.Do(ctx, "SET", "rafka:{yours}:topic", "x").Err())
	o := rafka(t, "topic", "list")
	assert.Equal(t, 1, o.code)
	assert.Equal(
		t,
		"NAME       PARTITIONS   CREATED\norders     2            TIME\npayments   2            TIME\n",
		timeless(o.stdout),
	)
	assert.Equal(t, 2, strings.Count(o.stderr, "\n"), o.stderr)
	assert.Contains(t, o.stderr, `field partitions of key rafka:{mine}:topic is "x"`)
	assert.Contains(t, o.stderr, "key rafka:{yours}:topic: WRONGTYPE")
	o = rafka(t, "topic", "list", "--format", "json")
	assert.Equal(t, 1, o.code)
	var topics []broker.Topic
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &topics))
	assert.Len(t, topics, 2)

	require.NoError(t, client.Do(ctx, "SET", "orders:1", "x").Err())
	o = rafka(t, "topic", "describe", "orders")
	assert.Equal(t, 1, o.code)
	assert.Contains(
		t,
		o.stdout,
		"0           orders:0   0         0            -       -\n1           orders:1   -         -            -    "+
			"   -\n",
	)
	assert.Contains(t, o.stderr, "orders:1: WRONGTYPE")
}
