package output

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// Connections are cut during writes, and the password changes before they are opened again. Nothing
// is lost or repeated.
func TestRotatedPasswordLosesAndRepeatsNothing(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	acl := func(rules ...any) {
		require.NoError(t, client.Do(t.Context(), append([]any{"acl", "setuser", "ann"}, rules...)...).Err())
	}
	acl("on", ">old", ">new", "~*", "&*", "+@all")
	out, _ := openOutput(t, server, "partitions: 2\nkey: ${! @id }\nusername: ann\npassword: old")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var loaders sync.WaitGroup
	var mu sync.Mutex
	written, refused := 0, false
	stop := make(chan struct{})
	loaders.Go(func() { // ends with stop
		for from := 0; ; from += 20 {
			select {
			case <-stop:
				return
			default:
			}
			batch := numbered(from, from+20, 7)
			err := out.WriteBatch(ctx, batch)
			for errors.Is(err, service.ErrNotConnected) {
				mu.Lock()
				refused = true
				mu.Unlock()
				if err = reconnect(ctx, out); err == nil {
					err = out.WriteBatch(ctx, batch)
				}
			}
			if !assert.NoError(t, err) {
				return
			}
			mu.Lock()
			written = from + 20
			mu.Unlock()
		}
	})
	more := func(n int) {
		t.Helper()
		mu.Lock()
		goal := written + n
		mu.Unlock()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return written >= goal
		}, time.Minute, time.Millisecond)
	}
	more(200)
	acl("<old")
	more(200)
	require.NoError(t, client.Do(t.Context(), "client", "kill", "user", "ann").Err())
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return refused
	}, time.Minute, time.Millisecond, "it says that it is not connected")
	require.ErrorContains(t, out.ConnectionTest(ctx)[0].Err, "WRONGPASS")
	require.ErrorContains(t, out.ConnectionTest(ctx)[0].Err, "check `username` and `password`")
	acl(">old")
	more(200)
	close(stop)
	loaders.Wait()
	seen := map[string]int{}
	for _, stream := range []string{"orders:0", "orders:1"} {
		for _, body := range bodies(t, client, stream) {
			seen[body]++
		}
	}
	assert.Len(t, seen, written)
	for body, times := range seen {
		assert.Equal(t, 1, times, body)
	}
}
