package broker

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// listener is a running Wake.
type listener struct {
	hints chan struct{}
	ended chan error
}

// listen runs Wake until ctx ends and waits until it has subscribed.
//
//nolint:revive // t comes first in tests
func listen(t *testing.T, ctx context.Context, g *Group, silence, patience time.Duration) listener {
	t.Helper()
	l := listener{hints: make(chan struct{}, 100), ended: make(chan error, 1)}
	// ends with ctx; tests receive from ended
	go func() { l.ended <- g.wake(ctx, func() { l.hints <- struct{}{} }, silence, patience) }()
	l.requireHint(t, "the subscription to the group")
	l.requireHint(t, "the subscription to the topic")
	return l
}

func (l listener) requireHint(t *testing.T, what string) {
	t.Helper()
	select {
	case <-l.hints:
	case <-time.After(time.Minute):
		require.Fail(t, "no hint of "+what)
	}
}

func (l listener) endsWith(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(time.Minute):
		require.Fail(t, "Wake does not return")
		return nil
	}
}

func TestWakeReportsEveryChangeThatMembersWaitFor(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		ctx, cancel := context.WithCancel(t.Context())
		g := s.group()
		l := listen(t, ctx, g, wakeSilence, wakePatience)
		view := beat(t, g, "m1")
		l.requireHint(t, "a new member")
		plan(t, g, view.Version, map[string][]int{"m1": {0}})
		l.requireHint(t, "a plan")
		lease, _ := granted(t, s.leases(), "m1")
		require.NoError(t, s.leases().Release(t.Context(), []splits.Lease{lease})[0])
		l.requireHint(t, "a released lease")
		require.NoError(t, g.Leave(t.Context(), "m1"))
		l.requireHint(t, "a leaver")

		_, created, err := NewTopics(s.Client).Create(t.Context(), "orders", 4)
		require.NoError(t, err)
		require.True(t, created)
		l.requireHint(t, "the topic's creation")
		_, _, err = NewTopics(s.Client).Create(t.Context(), "orders", 4)
		require.NoError(t, err)

		beat(t, NewGroup(s.Client, "orders", "others"), "m1")
		beat(t, g, "m2")
		l.requireHint(t, "the group's own member")
		beat(t, g, "m2")
		cancel()
		require.ErrorIs(t, l.endsWith(t), context.Canceled)
		assert.Empty(t, l.hints, "neither other groups nor quiet beats are hinted")
	})
}

func TestWakeContinuesWithoutHints(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		ctx, cancel := context.WithCancel(t.Context())
		g := s.group()
		l := listen(t, ctx, g, 20*time.Millisecond, time.Minute)
		require.Never(t, func() bool { return len(l.ended) > 0 }, 200*time.Millisecond, 20*time.Millisecond)
		beat(t, g, "m1")
		l.requireHint(t, "a new member")
		cancel()
		require.ErrorIs(t, l.endsWith(t), context.Canceled)
	})
}

func TestWakeReturnsWhenTheServerStops(t *testing.T) {
	server := redistest.Start(t)
	g := testServer{scripttest.Server{Client: server.Client(t)}}.group()
	l := listen(t, t.Context(), g, wakeSilence, wakePatience)
	server.Kill(t)
	require.ErrorContains(t, l.endsWith(t), "listening for hints of group billing of orders")
	require.Error(t, g.Wake(t.Context(), func() {}), "nothing to subscribe to")
	server.Restart(t)
	ctx, cancel := context.WithCancel(t.Context())
	l = listen(t, ctx, g, wakeSilence, wakePatience)
	cancel()
	require.ErrorIs(t, l.endsWith(t), context.Canceled)
}

func TestWakeReturnsWhenTheServerFreezes(t *testing.T) {
	server := redistest.Start(t)
	g := testServer{scripttest.Server{Client: server.Client(t)}}.group()
	l := listen(t, t.Context(), g, 20*time.Millisecond, 100*time.Millisecond)
	server.Pause(t)
	defer server.Resume(t)
	require.Error(t, l.endsWith(t))
}

func TestWakeReturnsIfItsContextHasEnded(t *testing.T) {
	m := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: m.Addr(), MaxRetries: -1})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, testServer{scripttest.Server{Client: client}}.group().Wake(ctx, func() {}), context.Canceled)
}
