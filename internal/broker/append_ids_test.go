package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

// withIDs returns an append without a producer to the stream "s". Each record has its message ID as
// its body; "" is a record without an ID.
func withIDs(ids ...string) appender.Request {
	r := appender.Request{Target: appender.Target{Topic: "t", Key: "s"}}
	for _, id := range ids {
		r.Records = append(r.Records, appender.Record{Fields: []string{"body", id}, ID: id})
	}
	return r
}

var byID = AppendOptions{IDWindow: time.Hour}

// idScores returns the IDs that a partition knows, with the times at which they were written.
func idScores(t *testing.T, client *redis.Client) map[string]float64 {
	t.Helper()
	found, err := client.ZRangeWithScores(t.Context(), keys.IDs("s"), 0, -1).Result()
	require.NoError(t, err)
	scores := map[string]float64{}
	for _, z := range found {
		scores[z.Member.(string)] = z.Score
	}
	return scores
}

func TestKnownMessageIDIsNotWrittenAgain(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, byID)
		assert.Equal(t, 1, appendOne(t, a, withIDs("a", "b", "a", "", "")).Known, "the second a")
		assert.Equal(t, 2, appendOne(t, a, withIDs("b", "c", "", "a")).Known)
		assert.Equal(t, []string{"a", "b", "", "", "c", ""}, bodies(t, s.Client, "s"))
		assert.Len(t, idScores(t, s.Client), 3)
		ttl := s.Client.PTTL(t.Context(), keys.IDs("s")).Val()
		assert.InDelta(t, time.Hour, ttl, float64(time.Minute))
		appendOne(t, NewAppends(s.Client, AppendOptions{}), withIDs("a"))
		assert.Len(t, bodies(t, s.Client, "s"), 7, "an append without a window ignores IDs")
	})
}

func TestMessageIDIsForgottenAfterItsWindow(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, byID)
		hour := float64(time.Hour.Milliseconds())
		now := float64(s.Now(t))
		s.Add(t, "s", "*")
		for i := range 100 {
			s.Client.ZAdd(
				t.Context(),
				keys.IDs("s"),
				redis.Z{Score: now - hour - float64(i) - 1, Member: fmt.Sprintf("old %d", i)},
			)
		}
		s.Client.ZAdd(t.Context(), keys.IDs("s"), redis.Z{Score: now - hour/2, Member: "recent"})
		assert.Equal(t, 1, appendOne(t, a, withIDs("old 0", "recent")).Known, "old 0 is known by the set only")
		left := len(idScores(t, s.Client))
		assert.Less(t, left, 102-10, "an append removes old IDs")
		assert.Greater(t, left, 102-50, "but not many at the same time")
		for range 20 {
			appendOne(t, a, withIDs("recent"))
		}
		assert.Len(t, idScores(t, s.Client), 2, "old 0, which was written again, and recent")
	})
}

func TestMessageIDIsNotOlderThanEarlierIDs(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		ahead := float64(s.Now(t) + 10*time.Hour.Milliseconds()) // the clock was ahead and is right again
		s.Add(t, "s", "*")
		s.Client.ZAdd(t.Context(), keys.IDs("s"), redis.Z{Score: ahead, Member: "a"})
		appendOne(t, NewAppends(s.Client, byID), withIDs("b"))
		assert.Equal(t, map[string]float64{"a": ahead, "b": ahead}, idScores(t, s.Client))
		ttl := s.Client.PTTL(t.Context(), keys.IDs("s")).Val()
		assert.InDelta(t, 11*time.Hour, ttl, float64(time.Minute))
	})
}

func TestMessageIDsOfAStreamThatIsGoneAreForgotten(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, byID)
		appendOne(t, a, withIDs("a", "b"))
		require.NoError(t, s.Client.XTrimMaxLen(t.Context(), "s", 0).Err())
		assert.Equal(t, 1, appendOne(t, a, withIDs("a")).Known, "the stream is empty, and there")
		require.NoError(t, s.Client.Del(t.Context(), "s").Err())
		assert.Zero(t, appendOne(t, a, withIDs("a")).Known)
		assert.Equal(t, []string{"a"}, bodies(t, s.Client, "s"))
		assert.Len(t, idScores(t, s.Client), 1)
	})
}

func TestLargeSetOfMessageIDsDoesNotExpire(t *testing.T) {
	s := onRedis(t)
	a := NewAppends(s.Client, byID)
	appendOne(t, a, withIDs("a"))
	const fill = `for i = 1, 10001 do redis.call('ZADD', KEYS[1], 'NX', ARGV[1], i) end`
	require.ErrorIs(t, s.Client.Eval(t.Context(), fill, []string{keys.IDs("s")}, s.Now(t)).Err(), redis.Nil)
	appendOne(t, a, withIDs("a"))
	assert.Equal(t, time.Duration(-1), s.Client.PTTL(t.Context(), keys.IDs("s")).Val())
}

func TestProducerAndMessageIDsWorkTogether(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, byID)
		for _, plain := range []bool{false, true} { // with the metadata of a plain topic among the keys
			first := withIDs("a", "b")
			first.Producer, first.Epoch, first.Seq, first.Target.Plain = "p1", 1, 1, plain
			appendOne(t, a, first)
			assert.Equal(t, appender.Duplicate, appendOne(t, a, first).Status)
			next := withIDs("b", "c")
			next.Producer, next.Epoch, next.Seq, next.Target.Plain = "p1", 1, 2, plain
			assert.Equal(t, 1, appendOne(t, a, next).Known)
			assert.Equal(t, []string{"a", "b", "c"}, bodies(t, s.Client, "s"))
			require.NoError(t, s.Client.Del(t.Context(), "s", keys.Producer("s", "p1")).Err())
		}
	})
}

func TestMessageIDIsUnknownUntilItsRecordIsWritten(t *testing.T) {
	s := onRedis(t)
	a := NewAppends(s.Client, byID)
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	appendOne(t, a, withIDs("z")) // refused
	assert.Zero(t, s.Client.DBSize(t.Context()).Val())
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "0").Err())

	s.Add(t, "s", "18446744073709551615-18446744073709551614") // room for one more entry
	result := appendOne(t, a, withIDs("a", "b"))
	require.Equal(t, appender.Partial, result.Status)
	assert.Equal(t, 1, result.Count)
	assert.Len(t, idScores(t, s.Client), 1)
	assert.Contains(t, idScores(t, s.Client), "a")

	require.NoError(t, s.Client.Del(t.Context(), "s").Err())
	require.NoError(t, s.Client.Set(t.Context(), "s", "x", 0).Err())
	result = appendOne(t, a, withIDs("c"))
	assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(result.Err))
	assert.NotContains(t, idScores(t, s.Client), "c")
}
