package script_test

import (
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

var (
	echoScript  = script.New("echo", "return {ARGV[1]}")
	countScript = script.New("count", "return {tostring(redis.call('INCR', KEYS[1]))}")
)

func TestScriptIsTaughtToAServerThatForgotIt(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		for range 2 {
			value, err := echoScript.Run(t.Context(), s.Client, nil, "a")
			require.NoError(t, err)
			assert.Equal(t, script.Reply{"a"}, script.ReplyOf(value))
			require.NoError(t, s.Client.ScriptFlush(t.Context()).Err())
		}
	})
}

func TestRunAllAnswersInOrderAndRunsEachCallOnce(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		require.NoError(t, s.Client.Set(t.Context(), "broken", "x", 0).Err())
		var calls []script.Call
		for i := range 100 {
			calls = append(calls, echoScript.Call(nil, i),
				countScript.Call([]string{"n" + strconv.Itoa(i)}),
				countScript.Call([]string{"broken"}))
		}
		_, err := echoScript.Run(t.Context(), s.Client, nil, "known") // the other is not
		require.NoError(t, err)
		for round := range 3 {
			for i, r := range script.RunAll(t.Context(), s.Client, calls) {
				switch i % 3 {
				case 0:
					require.NoError(t, r.Err)
					assert.Equal(t, strconv.Itoa(i/3), script.ReplyOf(r.Value).Word(0))
				case 1:
					require.NoError(t, r.Err)
					assert.Equal(t, strconv.Itoa(round+1), script.ReplyOf(r.Value).Word(0))
				case 2:
					require.ErrorContains(t, r.Err, "not an integer")
				}
			}
		}
		assert.Empty(t, script.RunAll(t.Context(), s.Client, nil))
	})
}

func TestRunAllGivesTheConnectionErrorToEachCall(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	calls := []script.Call{echoScript.Call(nil), countScript.Call([]string{"n"})}
	for _, r := range script.RunAll(t.Context(), client, calls) {
		require.Error(t, r.Err)
		assert.Equal(t, rediserr.ClassConnection, rediserr.Classify(r.Err))
	}
}

func TestReplyOfAnythingElseReadsAsEmpty(t *testing.T) {
	for _, value := range []any{nil, "OK", int64(1), []any{}, []any{int64(1), nil}} {
		r := script.ReplyOf(value)
		assert.Empty(t, r.Word(0))
		assert.Empty(t, r.Words(1))
		_, err := r.Number(0)
		require.Error(t, err)
		_, err = r.Signed(7)
		require.Error(t, err)
	}
}
