//go:build topology

package redistest

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTLSServerDemandsCertificates(t *testing.T) {
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

func TestTLSServerMayDoWithoutClientCertificates(t *testing.T) {
	t.Parallel()
	s := StartTLS(t, "--tls-auth-clients", "no")
	require.NoError(t, s.Client(t, func(o *redis.Options) { o.TLSConfig.Certificates = nil }).Ping(t.Context()).Err())
}
