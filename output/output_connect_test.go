package output

import (
	"context"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/outage"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestConnectReportsImmediatelyAndThenRarely(t *testing.T) {
	server := redistest.Start(t)
	out, _ := closedOutput(t, server, "")
	server.Kill(t)
	start := time.Now()
	err := out.Connect(t.Context())
	require.ErrorContains(t, err, "cannot be reached")
	assert.Less(t, time.Since(start), 10*time.Second)
	var later *service.ErrBackOff
	require.ErrorAs(t, err, &later)
	require.Error(t, out.Connect(t.Context()))

	// The third error is due later, but Connect returns as soon as the server is available.
	result := make(chan error, 1)
	go func() { result <- out.Connect(t.Context()) }() // joined below
	server.Restart(t)
	select {
	case err := <-result:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("Connect did not return after the server was started again")
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	server := redistest.Start(t)
	out, _ := closedOutput(t, server, "")
	server.Kill(t)
	require.Error(t, out.Connect(t.Context()))
	require.Error(t, out.Connect(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, out.Connect(ctx), context.DeadlineExceeded)
}

func TestSecondConnectKeepsTheSession(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "")
	before := out.current()
	require.NoError(t, out.Connect(t.Context()))
	assert.Same(t, before, out.current())
}

func TestConnectErrorDoesNotShowAWrongPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	out, _ := closedOutput(t, server, "password: hunter2")
	err := out.Connect(t.Context())
	require.ErrorContains(t, err, "password")
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestMissingPermissionFailsConnectWithTheRemedy(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all", "-xadd").Err())
	out, _ := closedOutput(t, server, "username: ann\npassword: pw")
	err := out.Connect(t.Context())
	require.ErrorContains(t, err, "XADD")
	require.ErrorContains(t, err, "ACL SETUSER")
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "ann", "+xadd").Err())
	require.NoError(t, out.Connect(t.Context()))
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 1, 1)))
}

func TestPermissionRevokedMeanwhile(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all").Err())
	out, _ := openOutput(t, server, "username: ann\npassword: pw")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 1, 1)))
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "ann", "-xadd").Err())
	require.ErrorContains(t, out.WriteBatch(t.Context(), numbered(1, 2, 1)), "ACL SETUSER")
	require.ErrorIs(t, out.WriteBatch(t.Context(), numbered(1, 2, 1)), service.ErrNotConnected)
	require.ErrorContains(t, out.Connect(t.Context()), "ACL SETUSER")
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "ann", "+xadd").Err())
	require.NoError(t, reconnect(t.Context(), out))
	require.NoError(t, out.WriteBatch(t.Context(), numbered(1, 2, 1)))
	assert.Equal(t, []string{"0", "1"}, bodies(t, client, "orders"))
}

func TestWriteBeforeConnectIsNotConnected(t *testing.T) {
	server := redistest.Start(t)
	out, _ := closedOutput(t, server, "")
	require.ErrorIs(t, out.WriteBatch(t.Context(), numbered(0, 1, 1)), service.ErrNotConnected)
}

func TestCloseAtAnyTime(t *testing.T) {
	server := redistest.Start(t)
	out, _ := closedOutput(t, server, "")
	require.NoError(t, out.Close(context.Background()), "before Connect")
	require.NoError(t, out.Close(context.Background()), "again")
	require.ErrorIs(t, out.Connect(t.Context()), outage.ErrClosed)
}

func TestCloseEndsConnectAndWrite(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, shortTimeouts)
	server.Pause(t)
	written := make(chan error, 1)
	go func() { written <- out.WriteBatch(t.Context(), numbered(0, 1, 1)) }() // joined below
	require.ErrorIs(t, <-written, service.ErrNotConnected)
	require.Error(t, out.Connect(t.Context()))
	require.Error(t, out.Connect(t.Context()))
	connected := make(chan error, 1)
	go func() { connected <- out.Connect(t.Context()) }() // joined below
	start := time.Now()
	_ = out.Close(context.Background()) // Close gives up the append in flight
	require.Error(t, <-connected)
	assert.Less(t, time.Since(start), closeTimeout+20*time.Second)
	server.Resume(t)
}

func TestConnectionTest(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	for name, c := range map[string]struct{ fields, says string }{
		"good":           {"password: right", ""},
		"good topic":     {"password: right\nstream_name: ${! @topic }", ""},
		"wrong password": {"password: wrong", "password"},
		"no password":    {"", "password"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := closedOutput(t, server, c.fields)
			results := out.ConnectionTest(t.Context())
			require.Len(t, results, 1)
			if c.says == "" {
				require.NoError(t, results[0].Err)
			} else {
				require.ErrorContains(t, results[0].Err, c.says)
			}
		})
	}
	out, _ := closedOutput(t, server, "password: right")
	server.Kill(t)
	results := out.ConnectionTest(t.Context())
	require.Len(t, results, 1)
	require.ErrorContains(t, results[0].Err, "cannot be reached")
	var later *service.ErrBackOff
	assert.NotErrorAs(t, results[0].Err, &later)
}

func TestEvictingServerWarnsOnce(t *testing.T) {
	server := redistest.Start(t, "--maxmemory-policy", "allkeys-lfu")
	out, journal := closedOutput(t, server, "")
	for range 3 {
		require.NoError(t, out.Connect(t.Context()))
	}
	warned := journal.Lines("level=WARN")
	require.Len(t, warned, 1)
	assert.Contains(t, warned[0], "maxmemory-policy allkeys-lfu")
	require.NoError(t, out.ConnectionTest(t.Context())[0].Err)
	assert.Len(t, journal.Lines("level=WARN"), 2, "a connection test logs it too")
	out, journal = openOutput(t, redistest.Start(t, "--maxmemory-policy", "volatile-lru"), "")
	require.NoError(t, out.ConnectionTest(t.Context())[0].Err)
	assert.Empty(t, journal.Lines("level=WARN"))
}
