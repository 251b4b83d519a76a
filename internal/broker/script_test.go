package broker

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	echoScript  = newScript("echo", "return {ARGV[1]}")
	countScript = newScript("count", "return {tostring(redis.call('INCR', KEYS[1]))}")
)

func TestScriptIsTaughtToAServerThatForgotIt(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for range 2 {
			value, err := echoScript.run(t.Context(), s.client, nil, "a")
			require.NoError(t, err)
			assert.Equal(t, reply{"a"}, replyOf(value))
			require.NoError(t, s.client.ScriptFlush(t.Context()).Err())
		}
	})
}

func TestRunAllAnswersInOrderAndRunsEachCallOnce(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		require.NoError(t, s.client.Set(t.Context(), "broken", "x", 0).Err())
		var calls []scriptCall
		for i := range 100 {
			calls = append(calls, echoScript.call(nil, i),
				countScript.call([]string{"n" + strconv.Itoa(i)}),
				countScript.call([]string{"broken"}))
		}
		require.NoError(t, s.client.ScriptLoad(t.Context(), echoScript.src).Err()) // one is known, the other not
		for round := range 3 {
			for i, r := range runAll(t.Context(), s.client, calls) {
				switch i % 3 {
				case 0:
					require.NoError(t, r.err)
					assert.Equal(t, strconv.Itoa(i/3), replyOf(r.value).word(0))
				case 1:
					require.NoError(t, r.err)
					assert.Equal(t, strconv.Itoa(round+1), replyOf(r.value).word(0))
				case 2:
					require.ErrorContains(t, r.err, "not an integer")
				}
			}
		}
		assert.Empty(t, runAll(t.Context(), s.client, nil))
	})
}

func TestRunAllGivesTheConnectionErrorToEachCall(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	for _, r := range runAll(t.Context(), client, []scriptCall{echoScript.call(nil), countScript.call([]string{"n"})}) {
		require.Error(t, r.err)
		assert.Equal(t, ClassConnection, Classify(r.err))
	}
}

func TestReplyOfAnythingElseReadsAsEmpty(t *testing.T) {
	for _, value := range []any{nil, "OK", int64(1), []any{}, []any{int64(1), nil}} {
		r := replyOf(value)
		assert.Empty(t, r.word(0))
		assert.Empty(t, r.words(1))
		_, err := r.number(0)
		require.Error(t, err)
		_, err = r.signed(7)
		require.Error(t, err)
	}
}

// A number that can't be read is the script's, so the error has its name and all that it answered.
func TestNumbersThatCannotBeReadNameTheirScript(t *testing.T) {
	wellBegun := map[*script][]string{
		enrollScript:    {"OK", "OK x"},
		heartbeatScript: {"OK", "OK 1 1 x"},
		appendScript:    {"PARTIAL", "PARTIAL x OOM"},
		claimScript:     {"OK x", "OK 1 x", "OK 1 5-3 x", "OK 1 5-3 7 x", "HELD other x"},
		commitScript:    {"HELD other x"},
		resetScript: {
			"HELD other",
		},
		releaseScript:     {"HELD other"},
		growTopicScript:   {"GROWN x"},
		deleteLeaseScript: {"HELD other x"},
		seekScript:        {"OK _ x", "OK 5-1 5-3 x", "HELD other x"},
	}
	for _, c := range callers {
		for _, text := range wellBegun[c.script] {
			client := answering(answerIn(text))
			require.ErrorContains(
				t,
				c.call(t.Context(), client),
				fmt.Sprintf("the %s script answered %q", c.script.name, answerIn(text)),
				text,
			)
			require.NoError(t, client.Close())
		}
		delete(wellBegun, c.script)
	}
	assert.Empty(t, wellBegun, "scripts that nobody calls")
}
