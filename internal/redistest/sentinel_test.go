package redistest

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSentinelPromotesReplicaOfDeadMaster(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, SentinelOptions{Replicas: 2, Password: "data", SentinelPassword: "watch"})
	assert.Len(t, strings.Split(s.URL(), ","), 3)
	require.NoError(t, s.Client(t).Set(t.Context(), "k", "v", 0).Err())
	old := s.Master(t)
	assert.Equal(t, s.Servers()[0], old)
	require.EqualValues(
		t,
		2,
		old.Client(t, func(o *redis.Options) { o.Password = "data" }).Wait(t.Context(), 2, 0).Val(),
	)

	old.Kill(t)
	master := s.AwaitPromotion(t, old)
	assert.NotEqual(t, old, master)
	v, err := s.Client(t).Get(t.Context(), "k").Result()
	require.NoError(t, err)
	assert.Equal(t, "v", v)

	old.Restart(t)
	s.Await(t)
	assert.Equal(t, master, s.Master(t), "the old master has returned as a replica")
	require.ErrorContains(
		t,
		old.Client(t, func(o *redis.Options) { o.Password = "data" }).Set(t.Context(), "k", "", 0).Err(),
		"READONLY",
	)
}

func TestSentinelsHaveTheirOwnPassword(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, SentinelOptions{SentinelPassword: "watch"})
	require.NoError(t, s.Client(t).Ping(t.Context()).Err())
	wrong := s.Client(t, func(o *redis.FailoverOptions) { o.SentinelPassword = "" })
	require.Error(t, wrong.Ping(t.Context()).Err())
	require.ErrorContains(t, s.Sentinels()[0].Client(t).Ping(t.Context()).Err(), "NOAUTH")
	old := s.Master(t)
	assert.NotEqual(t, old, s.Failover(t), "a running master can be replaced, too")
}
