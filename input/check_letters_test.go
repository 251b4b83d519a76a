package input

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestLinterAndConstructorRejectWrongDeadLetters(t *testing.T) {
	with := func(fields string) string {
		return minimal + "dead_letter: { stream_name: orders-dead, " + fields + " }"
	}
	for what, c := range map[string]struct {
		fields string
		want   string // parts of the text, separated by bars
	}{
		"without a topic": {
			minimal + "dead_letter: { max_deliveries: 3 }",
			"dead_letter.stream_name: is missing | set it to the topic",
		},
		"expressions without a topic": {
			minimal + "dead_letter: { match: [x] }",
			"dead_letter.stream_name: is missing",
		},
		"the topic itself": {
			minimal + "dead_letter: { stream_name: orders }",
			`dead_letter.stream_name: "orders" | use another topic`,
		},
		"a partition of the topic": {
			minimal + "dead_letter: { stream_name: 'orders:3' }",
			`dead_letter.stream_name: "orders:3" | use another topic`,
		},
		"the topic of the partition": {
			local + "consumer_group: g\nstream_name: 'orders:3'\ndead_letter: { stream_name: orders }",
			`dead_letter.stream_name: "orders" has the entries of orders:3 | use another topic`,
		},
		"a name with braces": {
			minimal + "dead_letter: { stream_name: 'a{b' }",
			"dead_letter.stream_name: | hash tag",
		},
		"no deliveries":       {with("max_deliveries: 0"), "dead_letter.max_deliveries: is 0 | from 1 upwards"},
		"half a delivery":     {with("max_deliveries: 1.5"), "dead_letter.max_deliveries: is 1.5 | whole number"},
		"deliveries in words": {with("max_deliveries: five"), "dead_letter.max_deliveries | remove the quotes"},
		"no back-off":         {with("backoff: 0s"), "dead_letter.backoff | greater than zero"},
		"short back-off":      {with("backoff: 1ms"), "dead_letter.backoff: is 1ms | set it to 10ms or more"},
		"back-off in words":   {with("backoff: long"), "dead_letter.backoff | is not a duration"},
		"negative age":        {with("min_age: -5s"), "dead_letter.min_age | greater than zero"},
		"bad expression": {
			with("match: ['ok', '(']"),
			"dead_letter.match: | missing closing ): `(` | correct the regular expression",
		},
		"empty expression": {with("match: ['']"), "dead_letter.match: an empty text matches every error | remove it"},
		"nacks are skipped": {
			with("min_age: 5m") + "\nauto_replay_nacks: false",
			"dead_letter: has no effect if auto_replay_nacks is false | set auto_replay_nacks to true",
		},
	} {
		t.Run(what, func(t *testing.T) {
			lints := lint(t, c.fields)
			_, err := construct(t, c.fields)
			require.Error(t, err)
			for part := range strings.SplitSeq(c.want, " | ") {
				assert.Contains(t, lints, part)
				assert.ErrorContains(t, err, part)
			}
		})
	}
}

func TestDeadLettersAreParsed(t *testing.T) {
	const fields = minimal + `
dead_letter:
  stream_name: orders-dead
  max_deliveries: 9
  backoff: 1m
  min_age: 1h
  match: ['HTTP 4\d\d', '(?i)invalid']
`
	assert.Empty(t, lint(t, fields))
	s, err := construct(t, fields)
	require.NoError(t, err)
	assert.Equal(t, "orders-dead", s.letters)
	matches := s.consumer.DeadLetters.Match
	s.consumer.DeadLetters.Match = nil
	assert.Equal(t, splits.DeadLetters{
		MaxDeliveries: 9, MaxBackoff: time.Minute, MinAge: time.Hour,
	}, s.consumer.DeadLetters)
	assert.True(t, matches(errors.New("got HTTP 422")))
	assert.True(t, matches(errors.New("Invalid character")))
	assert.False(t, matches(errors.New("HTTP 503")))

	s, err = construct(t, minimal+"dead_letter: { stream_name: orders-dead }")
	require.NoError(t, err)
	assert.Equal(t, splits.DeadLetters{
		MaxDeliveries: 5, MaxBackoff: 5 * time.Second, MinAge: 10 * time.Minute,
	}, s.consumer.DeadLetters)
	s, err = construct(t, minimal)
	require.NoError(t, err)
	assert.Equal(t, splits.DeadLetters{}, s.consumer.DeadLetters)
}
