package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// Regression: go-redis reloads the slots once a minute unless a node redirects it, which a dead
// master does not. Its partitions stayed unavailable after a replica had taken over.
func TestClientOfAClusterFindsTheReplicaThatTookOver(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 1)
	yaml := "kind: cluster\ndial_timeout: 500ms\nread_timeout: 500ms\nurl: '" + cluster.URL() + "'"
	pipelined, single := open(t, yaml, Writer()), open(t, yaml, Control(time.Second))
	write := func() error {
		pipe := pipelined.Pipeline()
		pipe.Set(t.Context(), "k", "v", 0)
		_, err := pipe.Exec(t.Context())
		return err
	}
	require.NoError(t, write())
	require.NoError(t, single.Get(t.Context(), "k").Err())
	cluster.Master(t, "k").Pause(t) // a frozen server: the system still accepts connections
	require.Eventually(t, func() bool { return write() == nil }, time.Minute, 20*time.Millisecond)
	require.Eventually(
		t,
		func() bool { return single.Get(t.Context(), "k").Err() == nil },
		time.Minute,
		20*time.Millisecond,
	)
	assert.Equal(t, "v", single.Get(t.Context(), "k").Val())
}
