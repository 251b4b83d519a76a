//go:build ledger

package ledger

import (
	"fmt"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// lettersTopic is the topic of the dead letters.
	lettersTopic = "ledger-dead"
	// quickLetters gives messages up soon.
	quickLetters = "{stream_name: ledger-dead, max_deliveries: 4, backoff: 200ms}"
	// defaultLetters is for tests that take minutes.
	defaultLetters = "{stream_name: ledger-dead}"
	// steadyPerSecond is the rate of the input while messages fail: a busy machine can do that for all
	// modes at the same time.
	steadyPerSecond = 200
)

// modes are the kinds of groups, with the orderings that matter for messages that fail.
var modes = map[string]func(*consumer){
	"partition": func(c *consumer) { c.Ordering = "partition" },
	"key":       func(c *consumer) { c.Ordering = "key" },
	"share":     func(c *consumer) { c.GroupType = "share" },
}

// inModes runs a test in the named modes, at the same time: these tests mostly wait.
func inModes(t *testing.T, test func(t *testing.T, mode func(*consumer)), names ...string) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, modes[name])
		})
	}
}

const (
	// briefSession is for readers that are killed: their messages are soon taken over.
	briefSession = time.Second
	// longSession is for readers that stay alive: a busy machine must not end their sessions.
	longSession = 20 * time.Second
)

// givesUp makes a consumer give messages up as dead_letter says.
func givesUp(deadLetter string, session time.Duration) func(*consumer) {
	return func(c *consumer) { c.BatchSize, c.Session, c.DeadLetter = 50, session, deadLetter }
}

// letter is a dead letter.
type letter struct {
	line         int64
	topic, group string
	partition    int
	offset       string
	cause        string
}

// letters returns the dead letters.
func (s *scenario) letters(t testing.TB) (all []letter) {
	t.Helper()
	entries, err := s.client.XRange(t.Context(), lettersTopic, "-", "+").Result()
	require.NoError(t, err)
	for _, e := range entries {
		text := func(field string) string { return fmt.Sprint(e.Values[field]) }
		line, err := strconv.ParseInt(text("line"), 10, 64)
		require.NoError(t, err, "letter %v", e.Values)
		partition, err := strconv.Atoi(text("rafka_origin_partition"))
		require.NoError(t, err, "letter %v", e.Values)
		all = append(all, letter{
			line: line, topic: text("rafka_origin_topic"), group: text("rafka_origin_group"), partition: partition,
			offset: text("rafka_origin_offset"), cause: text("rafka_origin_error"),
		})
	}
	return all
}

// awaitLetters waits until there are n dead letters.
func (s *scenario) awaitLetters(t testing.TB, n int) {
	t.Helper()
	await(t, waitLimit, fmt.Sprintf("%d dead letters", n), func() bool { return len(s.letters(t)) >= n })
}

// requireLetters checks that exactly these messages are dead letters, each once, with its origin and
// an error that contains some words.
func (s *scenario) requireLetters(t testing.TB, cause string, lines ...int64) {
	t.Helper()
	var found []int64
	for _, l := range s.letters(t) {
		found = append(found, l.line)
		require.Equal(t, s.Topic, l.topic, "the origin of %+v", l)
		require.Equal(t, s.Group, l.group, "the origin of %+v", l)
		require.Contains(t, l.cause, cause, "the origin of %+v", l)
		at, err := s.client.XRange(t.Context(), s.partitionKey(l.partition), l.offset, l.offset).Result()
		require.NoError(t, err)
		require.Len(t, at, 1, "what is at the origin of %+v", l)
		require.Equal(t, strconv.FormatInt(l.line, 10), at[0].Values["line"], "what is at the origin of %+v", l)
	}
	require.ElementsMatch(t, lines, found, "the numbers of the dead letters")
}

// replay replays dead letters with the command of the binary, and returns what it prints.
func (s *scenario) replay(t testing.TB) string {
	t.Helper()
	out, err := exec.Command(
		binary, "deadletter", "replay", lettersTopic, "--group", s.Group, "--yes", "--url", s.URL, "--kind", s.Kind,
	).CombinedOutput()
	require.NoError(t, err, "replaying the dead letters: %s", out)
	return string(out)
}

// without returns the numbers except some.
func without(all []int64, except ...int64) (rest []int64) {
	left := map[int64]bool{}
	for _, n := range except {
		left[n] = true
	}
	for _, n := range all {
		if !left[n] {
			rest = append(rest, n)
		}
	}
	return rest
}

// partitionOf returns the partition of a message of the producer.
func (p *producer) partitionOf(line int64) int {
	return kafkaPartition(p.keyOf(line), partitions)
}

// keyOf returns the key of a message of the producer.
func (p *producer) keyOf(line int64) string { return p.Keys[line%int64(len(p.Keys))] }
