package rediserr

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestNeverSentNeedsProof(t *testing.T) {
	for _, err := range []error{
		redis.ErrPoolTimeout, redis.ErrPoolExhausted, redis.ErrClosed,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
	} {
		assert.True(t, NeverSent(fmt.Errorf("x: %w", err)), err)
	}
	late := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, err := range []error{io.EOF, context.DeadlineExceeded, context.Canceled, late} {
		assert.False(t, NeverSent(err), err)
	}
}

func TestConnectionErrorsOfARealServer(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(
		t,
		func(o *redis.Options) { o.ReadTimeout, o.DialTimeout = 200*time.Millisecond, time.Second },
	)
	require.NoError(t, client.Ping(t.Context()).Err())

	server.Pause(t)
	err := client.Ping(t.Context()).Err()
	assert.Equal(t, ClassConnection, Classify(err), err)
	assert.False(t, NeverSent(err), err)
	assert.ErrorContains(t, Explain(err), "read_timeout")
	server.Resume(t)

	server.Kill(t)
	require.Eventually(
		t,
		func() bool { err = client.Ping(t.Context()).Err(); return NeverSent(err) },
		time.Minute,
		10*time.Millisecond,
	)
	assert.Equal(t, ClassConnection, Classify(err), err)
	assert.ErrorContains(t, Explain(err), "`url`")
}
