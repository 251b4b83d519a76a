package broker

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// part returns an idempotent append to the stream "s" with one record for each value.
func part(epoch, seq uint64, values ...string) appender.Request {
	p := appender.Request{Target: appender.Target{Topic: "t", Key: "s"}, Producer: "p1", Epoch: epoch, Seq: seq}
	for _, v := range values {
		p.Records = append(p.Records, appender.Record{Fields: []string{"body", v}})
	}
	return p
}

func appendOne(t *testing.T, a *Appends, p appender.Request) appender.Result {
	t.Helper()
	results := a.Append(t.Context(), []appender.Request{p})
	require.Len(t, results, 1)
	if s := results[0].Status; s == appender.Written || s == appender.Duplicate {
		require.NoError(t, results[0].Err)
	} else {
		require.Error(t, results[0].Err)
	}
	return results[0]
}

func bodies(t *testing.T, client *redis.Client, stream string) []string {
	t.Helper()
	found, err := client.XRange(t.Context(), stream, "-", "+").Result()
	require.NoError(t, err)
	all := make([]string, 0, len(found))
	for _, message := range found {
		all = append(all, message.Values["body"].(string))
	}
	return all
}

func producerState(t *testing.T, client *redis.Client) string {
	t.Helper()
	state, err := client.Get(t.Context(), keys.Producer("s", "p1")).Result()
	if err != redis.Nil { //nolint:errorlint // the client returns this very value
		require.NoError(t, err)
	}
	return state
}

func TestAppendComparesEpochAndSequence(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, AppendOptions{})
		steps := []struct {
			name       string
			epoch, seq uint64
			status     appender.Status
			state      string
		}{
			{"fresh", 5, 1, appender.Written, "5:1"},
			{"again", 5, 1, appender.Duplicate, "5:1"},
			{"next", 5, 2, appender.Written, "5:2"},
			{"late duplicate", 5, 1, appender.Duplicate, "5:2"},
			{"one is missing", 5, 4, appender.Gap, "5:2"},
			{"lower epoch", 4, 3, appender.Stale, "5:2"},
			{"higher epoch", 6, 1, appender.Written, "6:1"},
			{"higher epoch, any sequence", 9, 7, appender.Written, "9:7"},
			{"the old epoch is fenced", 5, 3, appender.Stale, "9:7"},
			{"epochs compare as numbers", 10, 1, appender.Written, "10:1"},
			{"epoch like a time", 1785445539471, 1, appender.Written, "1785445539471:1"},
			{"largest epoch", maxExact - 1, maxExact - 2, appender.Written, "9007199254740991:9007199254740990"},
			{"largest sequence", maxExact - 1, maxExact - 1, appender.Written, "9007199254740991:9007199254740991"},
		}
		var want []string
		before := ""
		for _, step := range steps {
			if step.status == appender.Written {
				want = append(want, step.name, step.name)
			}
			result := appendOne(t, a, part(step.epoch, step.seq, step.name, step.name))
			assert.Equal(t, step.status, result.Status, step.name)
			if step.status == appender.Stale {
				assert.Equal(t, numberOf(step.state).Epoch, result.Epoch, "the epoch to go beyond")
			}
			if step.status == appender.Written || step.status == appender.Gap {
				assert.Equal(t, numberOf(before), result.Stored, step.name)
			}
			before = step.state
			assert.Equal(t, step.state, producerState(t, s.Client), step.name)
		}
		assert.Equal(t, want, bodies(t, s.Client, "s"))
		ttl, err := s.Client.PTTL(t.Context(), keys.Producer("s", "p1")).Result()
		require.NoError(t, err)
		assert.InDelta(t, 24*time.Hour, ttl, float64(time.Minute))
	})
}

func TestAppendAfterTheStateWasLostIsWritten(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, AppendOptions{ProducerTTL: time.Minute})
		require.Equal(t, appender.Written, appendOne(t, a, part(1, 41, "x")).Status)
		require.NoError(t, s.Client.Set(t.Context(), keys.Producer("s", "p1"), "not ours", 0).Err())
		require.Equal(
			t,
			appender.Written,
			appendOne(t, a, part(1, 43, "y")).Status,
			"a state that rafka did not write is ignored",
		)
		assert.Equal(t, "1:43", producerState(t, s.Client))
	})
}

func TestAppendWithoutAProducerKeepsNoState(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, AppendOptions{})
		p := part(0, 0, "x")
		p.Producer = ""
		require.Equal(t, appender.Written, appendOne(t, a, p).Status)
		require.Equal(t, appender.Written, appendOne(t, a, p).Status)
		assert.Equal(t, []string{"x", "x"}, bodies(t, s.Client, "s"))
		keys, err := s.Client.Keys(t.Context(), "*").Result()
		require.NoError(t, err)
		assert.Equal(t, []string{"s"}, keys)
	})
}

func TestAppendToAPlainTopicFailsOnceItHasMetadata(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, AppendOptions{})
		for _, producer := range []string{"p1", ""} {
			p := part(1, 1, "x")
			p.Target.Plain, p.Producer = true, producer
			require.Equal(t, appender.Written, appendOne(t, a, p).Status)
			s.Set(t, keys.Metadata("t"), "partitions", 4)
			p.Seq = 2
			require.Equal(t, appender.Partitioned, appendOne(t, a, p).Status)
			p.Target.Plain = false
			require.Equal(t, appender.Written, appendOne(t, a, p).Status)
			require.NoError(t, s.Client.Del(t.Context(), keys.Metadata("t")).Err())
		}
		assert.Len(t, bodies(t, s.Client, "s"), 4)
	})
}

func TestAppendRejectedAtTheFirstEntryChangesNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		a := NewAppends(s.Client, AppendOptions{})
		require.NoError(t, s.Client.Set(ctx, "s", "text", 0).Err())
		result := appendOne(t, a, part(1, 1, "a"))
		assert.Equal(t, appender.Failed, result.Status)
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(result.Err))
		assert.ErrorContains(t, result.Err, "appending to s: ")
		assert.ErrorContains(t, result.Err, "rename or delete")

		require.NoError(t, s.Client.Del(ctx, "s").Err())
		require.Equal(
			t,
			appender.Written,
			appendOne(t, a, part(1, 1, "a")).Status,
			"the same sequence number is not a duplicate",
		)
		require.NoError(t, s.Client.Set(ctx, "s", "text", 0).Err())
		require.Equal(t, appender.Failed, appendOne(t, a, part(2, 1, "b")).Status)
		assert.Equal(t, "1:1", producerState(t, s.Client), "the old state is kept")

		require.NoError(t, s.Client.Del(ctx, "s", keys.Producer("s", "p1")).Err())
		require.NoError(t, s.Client.LPush(ctx, keys.Producer("s", "p1"), "x").Err())
		result = appendOne(t, a, part(1, 1, "a"))
		assert.Equal(t, appender.Failed, result.Status)
		assert.ErrorContains(t, result.Err, keys.Producer("s", "p1"))
		assert.Empty(t, bodies(t, s.Client, "s"))
	})
}

func TestAppendOutOfMemoryIsRefusedAndWritesNothing(t *testing.T) {
	s := onRedis(t)
	a := NewAppends(s.Client, AppendOptions{})
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "a")).Status)
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	idempotent, plain := part(1, 2, "b"), part(0, 0, "b")
	plain.Producer = ""
	for _, p := range []appender.Request{idempotent, plain} {
		result := appendOne(t, a, p)
		assert.Equal(t, appender.Refused, result.Status)
		assert.ErrorContains(t, result.Err, "maxmemory")
	}
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	assert.Equal(t, []string{"a"}, bodies(t, s.Client, "s"))
	assert.Equal(t, appender.Written, appendOne(t, a, part(1, 2, "b")).Status)
}

func TestAppendWithoutPermissionFailsAndWritesNothing(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client(t)
	for name, rules := range map[string][]any{
		"scripts":    {"~*", "+@all", "-evalsha", "-eval"},
		"xadd":       {"~*", "+@all", "-xadd"},
		"set":        {"~*", "+@all", "-set"},
		"get":        {"~*", "+@all", "-get"},
		"stream key": {"~rafka:*", "+@all"},
		"state key":  {"~s", "+@all"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(
				t,
				admin.Do(t.Context(), append([]any{"acl", "setuser", "u", "reset", "on", ">pw"}, rules...)...).Err(),
			)
			client := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "u", "pw" })
			result := appendOne(t, NewAppends(client, AppendOptions{}), part(1, 1, "a"))
			assert.Equal(t, appender.Failed, result.Status)
			assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(result.Err), result.Err)
			assert.ErrorContains(t, result.Err, "ACL SETUSER")
			assert.Empty(t, bodies(t, admin, "s"))
		})
	}
	assert.Equal(t, appender.Written, appendOne(t, NewAppends(admin, AppendOptions{}), part(1, 1, "a")).Status)
}

func TestAppendSurvivesScriptFlush(t *testing.T) {
	s := onRedis(t)
	a := NewAppends(s.Client, AppendOptions{})
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "a")).Status)
	require.NoError(t, s.Client.ScriptFlush(t.Context()).Err())
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 2, "b")).Status)
	assert.Equal(t, []string{"a", "b"}, bodies(t, s.Client, "s"))
}

func TestAppendReturnsResultsInTheOrderOfTheRound(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		require.NoError(t, s.Client.Set(t.Context(), "bad", "text", 0).Err())
		a := NewAppends(s.Client, AppendOptions{})
		round := []appender.Request{part(1, 1, "a"), part(1, 1, "b"), part(1, 1), part(1, 1, "c")}
		for i, key := range []string{"s0", "bad", "s2", "s3"} {
			round[i].Target.Key = key
		}
		round[2].Records = []appender.Record{{Fields: nil}}
		results := a.Append(t.Context(), round)
		require.Len(t, results, 4)
		assert.Equal(t, appender.Result{Status: appender.Written}, results[0])
		assert.Equal(t, appender.Failed, results[1].Status)
		assert.ErrorContains(t, results[2].Err, "appending to s2: a record has 0 names and values")
		assert.Equal(t, appender.Written, results[3].Status)
		assert.Empty(t, a.Append(t.Context(), nil))
	})
}

func TestNodeIsTheMasterOnceTheSlotTableIsLoaded(t *testing.T) {
	target := appender.Target{Key: "s"}
	single := redis.NewClient(&redis.Options{})
	defer single.Close()
	assert.Empty(t, NewAppends(single, AppendOptions{}).Node(target))

	cluster := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{"192.0.2.1:1"}, // TEST-NET: a dial would hang
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{
				{Start: 0, End: 8000, Nodes: []redis.ClusterNode{{Addr: "192.0.2.1:1"}}},
				{Start: 8001, End: 16383, Nodes: []redis.ClusterNode{{Addr: "192.0.2.2:2"}}},
			}, nil
		},
	})
	defer cluster.Close()
	a := NewAppends(cluster, AppendOptions{})
	assert.Equal(t, "192.0.2.2:2", a.Node(appender.Target{Key: "foo"})) // slot 12182
	assert.Equal(t, "192.0.2.1:1", a.Node(appender.Target{Key: "bar"})) // slot 5061

	unknown := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"192.0.2.1:1"}, DialTimeout: time.Minute})
	defer unknown.Close()
	began := time.Now()
	assert.Empty(t, NewAppends(unknown, AppendOptions{}).Node(target))
	assert.Less(t, time.Since(began), 10*time.Second, "no I/O")
}

func TestForgetRemovesTheProducerState(t *testing.T) {
	s := onRedis(t)
	a := NewAppends(s.Client, AppendOptions{})
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "x")).Status)
	before := s.Client.DBSize(t.Context()).Val()
	require.EqualValues(t, 2, before)
	require.NoError(t, a.Forget(t.Context(), part(1, 1).Producer, []string{"s"}))
	require.Eventually(
		t,
		func() bool { return s.Client.DBSize(t.Context()).Val() == 1 },
		time.Minute,
		time.Millisecond,
	)
	assert.Equal(t, []string{"x"}, bodies(t, s.Client, "s"))
}
