package input

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// If other members took over all partitions during an outage, the member is connected again and
// logs no failure.
func TestMemberWithoutPartitionsReconnects(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	acl(t, client, "~*", "&*", "+@all")
	in, _ := openInput(t, server.URL(), ann)
	write(t, client, "orders", "", "a")
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	standby, _ := openInput(t, server.URL(), "")
	acl(t, client, "-@all")
	lost(t, in)
	require.Eventually(
		t,
		func() bool { return standby.current().consumer.Owned() == 1 },
		time.Minute,
		10*time.Millisecond,
	)
	acl(t, client, "+@all")
	require.NoError(t, reconnect(patient(t), in))
	assert.Zero(t, in.current().consumer.Owned())
	_, err := nextOnce(brief(t, 2*time.Second), in)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it waits")
}

// Regression: an outage can begin with a server that is down and continue with a server that
// rejects the password. The second cause was not reported while the input waited.
func TestNewCauseIsReturnedWhileNotConnected(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	acl(t, client, "~*", "&*", "+@all")
	proxy := redistest.StartProxy(t, server.Addr())
	in, journal := openInput(t, proxy.URL(), ann)
	write(t, client, "orders", "", "a")
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	proxy.Reset()
	lost(t, in) // with the error of a read that was cut off, or of a connection that failed
	require.Eventually(
		t,
		func() bool { return len(journal.Lines("cannot be reached")) > 0 },
		time.Minute,
		10*time.Millisecond,
	)
	connected := make(chan error, 1)
	causes := &logtest.Journal{}
	go func() { // joined below
		ctx := patient(t)
		for {
			err := in.Connect(ctx)
			if later := (*service.ErrBackOff)(nil); !errors.As(err, &later) {
				connected <- err
				return
			}
			_, _ = fmt.Fprintln(causes, err) // like the engine, which also shows it in /ready
		}
	}()
	require.NoError(t, client.Do(t.Context(), "ACL", "DELUSER", "ann").Err())
	proxy.Pass()
	told := func() int {
		return len(causes.Lines("WRONGPASS", "check `username` and `password`"))
	}
	require.Eventually(t, func() bool { return told() > 0 }, time.Minute, 10*time.Millisecond)
	acl(t, client, "~*", "&*", "+@all")
	require.NoError(t, <-connected)
	write(t, client, "orders", "", "b")
	for !slices.Contains(consume(t, in, 1), "b") { // the other message can arrive again
	}
	assert.Equal(t, 1, told())
}
