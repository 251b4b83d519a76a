package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// A Sentinel that does not answer used up all the time that there was for dialling, whenever it was
// asked.
func TestFrozenSentinelsDoNotKeepAnyoneFromTheMaster(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: 5 * time.Minute})
	yaml := "kind: failover\ndial_timeout: 2s\nread_timeout: 2s\nmaster: " + s.MasterName() + "\nurl: '" + s.URL() + "'"
	for _, frozen := range s.Sentinels() { // it is chance which of them a client asks first, and stays with
		client := open(t, yaml, Writer())
		require.NoError(t, client.Ping(t.Context()).Err())
		frozen.Pause(t)
		require.NoError(t, open(t, yaml, Writer()).Ping(t.Context()).Err(), "at the start")
		require.NoError(
			t,
			s.Master(t).Client(t).Do(t.Context(), "client", "kill", "type", "normal", "skipme", "yes").Err(),
		)
		require.Eventually(
			t,
			func() bool { return client.Ping(t.Context()).Err() == nil },
			time.Minute,
			10*time.Millisecond,
			"later",
		)
		frozen.Resume(t)
	}
}
