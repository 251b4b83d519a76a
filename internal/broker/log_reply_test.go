package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

func TestMalformedReplyIsAnError(t *testing.T) {
	for _, value := range []any{
		"text", []any{"x"}, []any{[]any{"1-1"}}, []any{[]any{"x", []any{}}}, []any{[]any{"1-1", []any{"a", int64(1)}}},
	} {
		_, err := entries(value)
		require.Error(t, err, value)
	}
	found, err := entries(nil)
	require.NoError(t, err)
	assert.Empty(t, found)
	require.Error(t, fillInOrder(make([]splits.Fetched, 1), cursorsOf("a"), []any{[]any{"b", []any{}}}))
	require.Error(t, fillInOrder(make([]splits.Fetched, 1), cursorsOf("a"), []any{"a"}))
}

// If a server rejects the connection with an error, go-redis returns the error only from the
// pipeline. The commands once looked as if the server had replied with nothing, and the reader
// concluded that the stream had gone back in time.
func TestFetchAndStateFailIfTheConnectionIsRejected(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	wrong := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: "wrong", MaxRetries: -1})
	defer func() { _ = wrong.Close() }()
	split := splits.Split{Topic: "s", Key: "s"}
	l := NewLog(wrong, wrong)
	states, err := l.State(t.Context(), []splits.Split{split})
	require.NoError(t, err)
	require.ErrorContains(t, states[0].Err, "check `username` and `password`")
	for _, block := range []time.Duration{0, time.Millisecond} {
		_, err = l.Fetch(
			t.Context(),
			splits.FetchRequest{Cursors: []splits.Cursor{{Split: split, Inspect: true}}, Count: 1, Block: block},
		)
		require.ErrorContains(t, err, "check `username` and `password`")
	}
}

// The error of a read reports whether a smaller read might succeed, and names a remedy.
func TestIncompleteReadIsUnfinished(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{scripttest.Server{Client: server.Client(t)}}
	require.NoError(
		t,
		s.Client.XAdd(
			t.Context(),
			&redis.XAddArgs{Stream: "s", Values: []string{"body", strings.Repeat("x", 2<<20)}},
		).Err(),
	)
	proxy := redistest.StartProxy(t, server.Addr())
	client := redis.NewClient(&redis.Options{
		Addr: proxy.Addr(), MaxRetries: -1, ReadTimeout: 300 * time.Millisecond, PipelinePoolSize: -1, DialerRetries: 1,
	})
	t.Cleanup(func() { _ = client.Close() })
	read := func() error {
		_, err := NewLog(client, s.Client).Fetch(t.Context(), splits.FetchRequest{Cursors: cursorsOf("s"), Count: 1})
		return err
	}
	require.NoError(t, read())

	proxy.Throttle(1 << 20)
	err := read()
	require.ErrorIs(t, err, splits.ErrUnfinished)
	assert.ErrorContains(t, err, "`read_timeout`")
	assert.False(t, rediserr.CutOff(err))
	proxy.Pass()

	require.NoError(t, s.Client.ConfigSet(t.Context(), "client-output-buffer-limit", "normal 1mb 0 0").Err())
	err = read()
	require.ErrorIs(t, err, splits.ErrUnfinished)
	assert.ErrorContains(t, err, "client-output-buffer-limit")
	assert.NotContains(t, err.Error(), "cannot be reached")
	assert.Equal(t, rediserr.ClassConnection, rediserr.Classify(err))
	assert.True(t, rediserr.CutOff(err))

	server.Kill(t)
	_ = read() // the proxy may still have a connection
	require.NoError(t, client.Close())
	require.NotErrorIs(t, read(), splits.ErrUnfinished)
}
