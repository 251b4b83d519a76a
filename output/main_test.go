package output

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestMain(m *testing.M) {
	config.RouteLogs((*service.Logger)(nil)) // what go-redis prints about servers that were killed on purpose
	// The embedded server lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/alicebob/miniredis/v2/server.(*Server).serve"),
		goleak.IgnoreAnyFunction("github.com/alicebob/miniredis/v2/server.(*Server).servePeer"))
}

// journal collects log lines.
type journal = logtest.Journal

// fast are fields that shorten outages but give a busy machine time to answer.
const fast = `
read_timeout: 10s
write_timeout: 10s
dial_timeout: 10s
backoff: {initial_interval: 20ms, max_interval: 200ms}
`

// shortTimeouts are fields for servers that do not answer.
const shortTimeouts = `
read_timeout: 300ms
write_timeout: 300ms
dial_timeout: 300ms
`

// yamlFor returns the configuration for a server: the given fields, and the fields of fast that are
// not given.
func yamlFor(server *redistest.Server, fields string) string {
	all := "url: " + server.URL() + "\n" + fields + "\n"
	for line := range strings.Lines(fast) {
		if field, _, _ := strings.Cut(line, ":"); !strings.Contains(fields, field+":") {
			all += line
		}
	}
	return all
}

// closedOutput returns an output that is not connected. It has the fields of yamlFor. The
// stream_name is orders unless the fields contain another one.
func closedOutput(t *testing.T, server *redistest.Server, fields string) (*output, *journal) {
	t.Helper()
	if !strings.Contains(fields, "stream_name:") {
		fields += "\nstream_name: orders"
	}
	set, err := construct(t, yamlFor(server, fields))
	require.NoError(t, err)
	j := &journal{}
	out := newOutput(set, j.Resources())
	t.Cleanup(func() { require.NoError(t, out.Close(context.Background())) })
	return out, j
}

// openOutput returns a connected closedOutput.
func openOutput(t *testing.T, server *redistest.Server, fields string) (*output, *journal) {
	t.Helper()
	out, j := closedOutput(t, server, fields)
	require.NoError(t, out.Connect(t.Context()))
	return out, j
}

// deliver writes a batch as the engine does: while the output is not connected, it connects and
// writes the same batch again.
func deliver(ctx context.Context, out *output, batch service.MessageBatch) error {
	for {
		err := out.WriteBatch(ctx, batch)
		if !errors.Is(err, service.ErrNotConnected) {
			return err
		}
		if err := reconnect(ctx, out); err != nil {
			return err
		}
	}
}

func reconnect(ctx context.Context, out *output) error {
	for {
		err := out.Connect(ctx)
		if err == nil {
			return nil
		}
		wait := 500 * time.Millisecond
		if later := (*service.ErrBackOff)(nil); errors.As(err, &later) {
			wait = later.Wait
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// message returns a message with metadata of the given names and values.
func message(body string, metadata ...string) *service.Message {
	msg := service.NewMessage([]byte(body))
	for i := 0; i < len(metadata); i += 2 {
		msg.MetaSetMut(metadata[i], metadata[i+1])
	}
	return msg
}

// numbered returns a batch of numbers, each with the metadata id = number modulo keys.
func numbered(from, to, keys int) service.MessageBatch {
	var batch service.MessageBatch
	for i := from; i < to; i++ {
		batch = append(batch, message(fmt.Sprint(i), "id", fmt.Sprint(i%keys)))
	}
	return batch
}

// bodies returns the bodies of a stream's entries.
func bodies(t *testing.T, client *redis.Client, stream string) []string {
	t.Helper()
	entries, err := client.XRange(t.Context(), stream, "-", "+").Result()
	require.NoError(t, err)
	all := make([]string, len(entries))
	for i, entry := range entries {
		all[i], _ = entry.Values["body"].(string)
	}
	return all
}

// failures returns the errors of a BatchError by the index in the batch. The batch must have been
// indexed before it was written.
func failures(t *testing.T, index *service.Indexer, err error) map[int]error {
	t.Helper()
	var failed *service.BatchError
	require.ErrorAs(t, err, &failed)
	found := map[int]error{}
	failed.WalkMessagesIndexedBy(index, func(i int, _ *service.Message, err error) bool {
		if err != nil {
			found[i] = err
		}
		return true
	})
	return found
}
