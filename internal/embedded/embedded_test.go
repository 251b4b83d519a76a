package embedded

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var names atomic.Int64

// freshName returns a new name on every call, since servers outlive the tests that open them.
func freshName(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%s-%d", t.Name(), names.Add(1))
}

// client returns a client configured like the clients of package config.
func client(t *testing.T, name string) *redis.Client {
	t.Helper()
	addr, err := Open(name)
	require.NoError(t, err)
	c := redis.NewClient(&redis.Options{Addr: addr, ClientName: "rafka", DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestOneServerPerName(t *testing.T) {
	var wg sync.WaitGroup
	var addrs [8]string
	name := freshName(t)
	for i := range addrs {
		wg.Go(func() { addrs[i], _ = Open(name) })
	}
	wg.Wait()
	for _, a := range addrs {
		assert.Equal(t, addrs[0], a)
	}
	other, err := Open(freshName(t))
	require.NoError(t, err)
	assert.NotEqual(t, addrs[0], other)

	host, _, err := net.SplitHostPort(addrs[0])
	require.NoError(t, err)
	assert.True(t, net.ParseIP(host).IsLoopback())
}

func TestNamesDoNotShareData(t *testing.T) {
	require.NoError(t, client(t, freshName(t)).Set(t.Context(), "k", "v", 0).Err())
	require.ErrorIs(t, client(t, freshName(t)).Get(t.Context(), "k").Err(), redis.Nil)
}

func TestDataOutlivesTheLastClient(t *testing.T) {
	name := freshName(t)
	addr, err := Open(name)
	require.NoError(t, err)
	c := redis.NewClient(&redis.Options{Addr: addr})
	require.NoError(t, c.Set(t.Context(), "k", "v", 0).Err())
	require.NoError(t, c.Close())
	v, err := client(t, name).Get(t.Context(), "k").Result()
	require.NoError(t, err)
	assert.Equal(t, "v", v)
}

func TestHandshakeSpeaksRESP3AndNamesTheConnection(t *testing.T) {
	c := client(t, freshName(t))
	hello, err := c.Do(t.Context(), "hello", "3").Result()
	require.NoError(t, err)
	assert.EqualValues(t, 3, hello.(map[any]any)["proto"])
	name, err := c.ClientGetName(t.Context()).Result()
	require.NoError(t, err)
	assert.Equal(t, "rafka", name)
}

func TestKeysExpireInRealTime(t *testing.T) {
	c, ctx := client(t, freshName(t)), t.Context()
	require.NoError(t, c.Set(ctx, "string", "v", 60*time.Millisecond).Err())
	require.NoError(t, c.HSet(ctx, "hash", "f", "v").Err())
	require.NoError(t, c.PExpire(ctx, "hash", 60*time.Millisecond).Err())
	require.NoError(t, c.Set(ctx, "lasting", "v", time.Hour).Err())
	assert.EqualValues(t, 3, c.Exists(ctx, "string", "hash", "lasting").Val())
	require.Eventually(
		t,
		func() bool { return c.Exists(ctx, "string", "hash").Val() == 0 },
		time.Minute,
		5*time.Millisecond,
	)
	assert.EqualValues(t, 1, c.Exists(ctx, "lasting").Val())
}

func TestExpiryIsSeenInsideScripts(t *testing.T) {
	c, ctx := client(t, freshName(t)), t.Context()
	get := redis.NewScript(`return redis.call('EXISTS', KEYS[1])`)
	require.NoError(t, c.Set(ctx, "k", "v", 30*time.Millisecond).Err())
	require.Eventually(t, func() bool {
		n, err := get.Run(ctx, c, []string{"k"}).Int()
		return err == nil && n == 0
	}, time.Minute, 5*time.Millisecond)
}

func TestTimeInScriptsFollowsTheWallClock(t *testing.T) {
	c, ctx := client(t, freshName(t)), t.Context()
	now := redis.NewScript(
		`local t = redis.call('TIME'); return string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))`,
	)
	read := func() int64 {
		text, err := now.Run(ctx, c, nil).Text()
		require.NoError(t, err)
		ms, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		return ms
	}
	first := read()
	assert.InDelta(t, time.Now().UnixMilli(), first, 20_000)
	require.Eventually(t, func() bool { return read() >= first+20 }, time.Minute, time.Millisecond)
}

func TestBlockedReadWakesOnNewEntry(t *testing.T) {
	c, ctx := client(t, freshName(t)), t.Context()
	read := make(chan error, 1)
	go func() { // ends with the read, at the latest after a minute
		read <- c.XRead(ctx, &redis.XReadArgs{Streams: []string{"s", "0"}, Block: time.Minute}).Err()
	}()
	id, err := c.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"body", "x"}}).Result()
	require.NoError(t, err)
	require.NoError(t, <-read)
	ms, err := strconv.ParseInt(id[:len(id)-2], 10, 64)
	require.NoError(t, err)
	assert.InDelta(t, time.Now().UnixMilli(), ms, 20_000)
}

func TestBlockedReadTimesOut(t *testing.T) {
	err := client(
		t,
		freshName(t),
	).XRead(
		t.Context(),
		&redis.XReadArgs{Streams: []string{"s", "$"}, Block: 20 * time.Millisecond},
	).Err()
	require.ErrorIs(t, err, redis.Nil)
}

func TestPublishFromScriptReachesSubscribers(t *testing.T) {
	c := client(t, freshName(t))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	sub := c.Subscribe(ctx, "ch")
	defer func() { assert.NoError(t, sub.Close()) }()
	_, err := sub.Receive(ctx) // the confirmation
	require.NoError(t, err)
	publish := redis.NewScript(`return redis.pcall('PUBLISH', ARGV[1], ARGV[2])`)
	require.NoError(t, publish.Run(ctx, c, nil, "ch", "hint").Err())
	m, err := sub.ReceiveMessage(ctx)
	require.NoError(t, err)
	assert.Equal(t, "hint", m.Payload)
}

func TestCommandsThatRafkaNeedsWork(t *testing.T) {
	c, ctx := client(t, freshName(t)), t.Context()
	sha, err := c.ScriptLoad(ctx, `return ARGV[1]`).Result()
	require.NoError(t, err)
	assert.Equal(t, "x", c.EvalSha(ctx, sha, nil, "x").Val())
	require.True(t, redis.HasErrorPrefix(c.EvalSha(ctx, "00", nil).Err(), "NOSCRIPT"))

	for range 5 {
		require.NoError(t, c.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"f", "1", "f", "2"}}).Err())
	}
	n, err := c.XTrimMaxLen(ctx, "s", 2).Result()
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)
	assert.EqualValues(t, 2, c.XLen(ctx, "s").Val())

	require.NoError(t, c.HSet(ctx, "h", "a", "1", "b", "2").Err())
	assert.Equal(t, map[string]string{"a": "1", "b": "2"}, c.HGetAll(ctx, "h").Val())
	require.NoError(t, c.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "m"}, redis.Z{Score: 5, Member: "n"}).Err())
	assert.EqualValues(t, 1, c.ZRemRangeByScore(ctx, "z", "-inf", "(5").Val())
	require.NoError(t, c.SAdd(ctx, "set", "m").Err())
	assert.True(t, c.SIsMember(ctx, "set", "m").Val())

	require.NoError(t, c.XGroupCreate(ctx, "s", "g", "0").Err())
	streams, err := c.XReadGroup(
		ctx,
		&redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"s", ">"}},
	).Result()
	require.NoError(t, err)
	require.Len(t, streams, 1)
	require.NoError(t, c.XAck(ctx, "s", "g", streams[0].Messages[0].ID).Err())
	require.NoError(t, c.XGroupDelConsumer(ctx, "s", "g", "c").Err())
}

// TestMissingCommands fails when miniredis adds one of these commands: then the package comment has
// to change, and the code that works without it.
func TestMissingCommands(t *testing.T) {
	c, ctx := client(t, freshName(t)), t.Context()
	require.NoError(t, c.XGroupCreateMkStream(ctx, "s", "g", "0").Err())
	require.NoError(t, c.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"f", "v"}}).Err())

	require.Error(t, c.XGroupSetID(ctx, "s", "g", "0").Err())
	info, err := c.Do(ctx, "xinfo", "stream", "s").Result()
	require.NoError(t, err)
	assert.ElementsMatch(t, []any{"length", "last-generated-id"}, slices.Collect(maps.Keys(info.(map[any]any))))
	for _, cmd := range [][]any{
		{"client", "setinfo", "lib-name", "x"},
		{"client", "id"},
		{"config", "get", "maxmemory"},
		{"acl", "whoami"},
		{"debug", "sleep", "0"},
	} {
		assert.Error(t, c.Do(ctx, cmd...).Err(), "%v", cmd)
	}
}
