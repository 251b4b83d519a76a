package redistest

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTLSServerRequiresCertificates(t *testing.T) {
	t.Parallel()
	s := StartTLS(t)
	assert.Equal(t, "rediss://"+s.Addr(), s.URL())
	require.NoError(t, s.Client(t).Ping(t.Context()).Err())
	ping := func(change func(*redis.Options)) error { return s.Client(t, change).Ping(t.Context()).Err() }
	require.ErrorContains(t, ping(func(o *redis.Options) { o.TLSConfig.RootCAs = nil }), "unknown authority")
	require.ErrorContains(t, ping(func(o *redis.Options) { o.TLSConfig.ServerName = "127.0.0.1" }), "127.0.0.1")
	require.Error(t, ping(func(o *redis.Options) { o.TLSConfig.Certificates = nil }))
	require.Error(t, ping(func(o *redis.Options) { o.TLSConfig = nil }))
	s.Restart(t)
	require.NoError(t, s.Client(t).Ping(t.Context()).Err())
}

func TestTLSServerWithoutClientCertificates(t *testing.T) {
	t.Parallel()
	s := StartTLS(t, "--tls-auth-clients", "no")
	require.NoError(t, s.Client(t, func(o *redis.Options) { o.TLSConfig.Certificates = nil }).Ping(t.Context()).Err())
}

func TestExpiredCertificateIsRefused(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, StartExpiredTLS(t).Client(t).Ping(t.Context()).Err(), "expired")
}

func TestClusterSpeaksTLS(t *testing.T) {
	t.Parallel()
	c := StartTLSCluster(t, 3, 1, NewCertificates(t))
	assert.Contains(t, c.URL(), "rediss://localhost:")
	client := c.Client(t)
	require.NoError(t, client.Set(t.Context(), "k", "v", 0).Err())
	to := c.Nodes()[0]
	if to == c.Master(t, "k") {
		to = c.Nodes()[1]
	}
	c.MigrateSlot(t, c.Slot(t, "k"), to)
	to.Kill(t)
	c.AwaitPromotion(t, "k")
	v, err := c.Client(t).Get(t.Context(), "k").Result()
	require.NoError(t, err)
	assert.Equal(t, "v", v)
}

func TestSentinelsSpeakTLS(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, SentinelOptions{TLS: NewCertificates(t)})
	assert.Contains(t, s.URL(), "rediss://localhost:")
	require.NoError(t, s.Client(t).Set(t.Context(), "k", "v", 0).Err())
	old := s.Master(t)
	assert.NotEqual(t, old, s.Failover(t))
	v, err := s.Client(t).Get(t.Context(), "k").Result()
	require.NoError(t, err)
	assert.Equal(t, "v", v)
}
