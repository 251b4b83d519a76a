package redistest

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// through returns a client that connects through the proxy, with timeouts for a busy machine.
func through(t *testing.T, s *Server, p *Proxy) *redis.Client {
	t.Helper()
	return s.Client(t, func(o *redis.Options) {
		o.Addr, o.DialerRetries = p.Addr(), 1
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = time.Minute, time.Minute, time.Minute
	})
}

// withShortTimeout returns the client with a short timeout, for requests without a reply.
func withShortTimeout(c *redis.Client) *redis.Client { return c.WithTimeout(200 * time.Millisecond) }

func TestProxyPassesBothWays(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	assert.Equal(t, "redis://"+p.Addr(), p.URL())
	c := through(t, s, p)
	large := string(make([]byte, 1<<20))
	require.NoError(t, c.Set(t.Context(), "k", large, 0).Err())
	assert.Equal(t, large, c.Get(t.Context(), "k").Val())
	assert.Equal(t, 1, p.Connections())
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return p.Connections() == 0 }, time.Minute, time.Millisecond)
}

func TestProxyDeliversAfterBlackhole(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := through(t, s, p)
	require.NoError(t, c.Ping(t.Context()).Err())
	p.Blackhole()
	var timeout net.Error
	require.ErrorAs(t, withShortTimeout(c).Set(t.Context(), "k", "late", 0).Err(), &timeout)
	assert.True(t, timeout.Timeout())
	require.ErrorAs(
		t,
		withShortTimeout(c).Ping(t.Context()).Err(),
		&timeout,
		"a new connection opens, but nothing answers",
	)
	p.Pass()
	require.NoError(t, c.Ping(t.Context()).Err())
	// The client has given up that connection. What it sent can still arrive, as in a real network.
	assert.NotEqual(t, "other", c.Get(t.Context(), "k").Val())
}

func TestProxyHoldsOneDirection(t *testing.T) {
	t.Parallel()
	s := Start(t)
	direct := s.Client(t)
	for _, half := range []struct {
		name    string
		hold    func(*Proxy)
		applied bool
	}{
		{"requests", (*Proxy).HoldRequests, false},
		{"answers", (*Proxy).HoldReplies, true},
	} {
		t.Run(half.name, func(t *testing.T) {
			p := StartProxy(t, s.Addr())
			c := through(t, s, p)
			require.NoError(t, c.Ping(t.Context()).Err())
			half.hold(p)
			var timeout net.Error
			require.ErrorAs(t, withShortTimeout(c).Set(t.Context(), half.name, "sent", 0).Err(), &timeout)
			assert.True(t, timeout.Timeout())
			exists := func() bool { return direct.Exists(t.Context(), half.name).Val() == 1 }
			if half.applied {
				require.Eventually(t, exists, time.Minute, time.Millisecond)
			} else {
				assert.False(t, exists())
			}
			p.Pass()
			require.NoError(t, c.Ping(t.Context()).Err())
			require.Eventually(
				t,
				func() bool { return direct.Exists(t.Context(), half.name).Val() == 1 },
				time.Minute,
				time.Millisecond,
				"the held data arrives late",
			)
		})
	}
}

func TestProxyResetsConnections(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := through(t, s, p)
	require.NoError(t, c.Ping(t.Context()).Err())
	p.Reset()
	for range 3 {
		require.Error(t, c.Ping(t.Context()).Err())
	}
	p.Pass()
	require.Eventually(t, func() bool { return c.Ping(t.Context()).Err() == nil }, time.Minute, time.Millisecond)
}

func TestProxyDelays(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := through(t, s, p)
	require.NoError(t, c.Ping(t.Context()).Err())
	p.Delay(30 * time.Millisecond)
	began := time.Now()
	require.NoError(t, c.Ping(t.Context()).Err())
	assert.GreaterOrEqual(t, time.Since(began), 60*time.Millisecond)
}

func TestProxyResetsWithoutServer(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	s.Kill(t)
	require.Error(t, through(t, s, p).Ping(t.Context()).Err())
}

func TestProxyRedirectsNewConnections(t *testing.T) {
	t.Parallel()
	first, second := Start(t), Start(t)
	p := StartProxy(t, first.Addr())
	before := first.Client(t, func(o *redis.Options) { o.Addr = p.Addr() })
	require.NoError(t, before.Set(t.Context(), "k", "first", 0).Err())
	require.NoError(t, second.Client(t).Set(t.Context(), "k", "second", 0).Err())
	p.Redirect(second.Addr())
	after := first.Client(t, func(o *redis.Options) { o.Addr = p.Addr() })
	assert.Equal(t, "first", before.Get(t.Context(), "k").Val())
	assert.Equal(t, "second", after.Get(t.Context(), "k").Val())
}

// All connections share the link, so the data of one slows down the others.
func TestProxyThrottlesReplies(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := through(t, s, p)
	large := string(make([]byte, 1<<20))
	require.NoError(t, c.Set(t.Context(), "k", large, 0).Err())
	p.Throttle(4 << 20)
	began, before := time.Now(), p.Passed()
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() { assert.Equal(t, large, c.Get(t.Context(), "k").Val()) })
	}
	readers.Wait()
	assert.Greater(t, time.Since(began), 500*time.Millisecond-catchUp)
	assert.GreaterOrEqual(t, p.Passed()-before, 2<<20)
}
