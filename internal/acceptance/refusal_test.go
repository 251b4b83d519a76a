package acceptance

import (
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// denier is a server that answers anything as one in protected mode does, which can't be reached
// from elsewhere here. It counts its connections.
type denier struct {
	listener net.Listener
	came     atomic.Int64
	serving  sync.WaitGroup
}

func startDenier(t *testing.T) *denier {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &denier{listener: listener}
	d.serving.Go(d.accept) // ends when the listener is closed
	t.Cleanup(func() {
		_ = listener.Close()
		d.serving.Wait()
	})
	return d
}

func (d *denier) accept() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.came.Add(1)
		d.serving.Go(func() { d.deny(conn) }) // ends with the client, or soon
	}
}

func (*denier) deny(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 1000)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
		if _, err := conn.Write(
			[]byte("-DENIED Redis is running in protected mode because protected mode is enabled\r\n"),
		); err != nil {
			return
		}
	}
}

// A server in protected mode, met at the start or at a reconnect.
func TestPipelineOutlivesProtectedMode(t *testing.T) {
	for _, when := range []string{"at the start", "while running"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			server, denier := redistest.Start(t), startDenier(t)
			client := server.Client(t)
			source := newSource(t, client)
			source.write(t, 100)
			proxy := redistest.StartProxy(t, server.Addr())
			deny := func() {
				proxy.Redirect(denier.listener.Addr().String())
				proxy.Reset()
				proxy.Pass()
			}
			if when == "at the start" {
				deny()
			}
			p := start(t, copier{url: proxy.URL()})
			if when == "while running" {
				source.awaitCopies(t, 0)
				awaitCommitted(t, client)
				deny()
			} else {
				awaitTold(t, p.journal, "path=root.output", "DENIED", "the server is in protected mode")
			}
			awaitTold(
				t,
				p.journal,
				"path=root.input",
				"DENIED",
				"set a password on it or let it bind the right address",
			)
			p.awaitReady(t, 503)
			began, came := time.Now(), denier.came.Load()
			<-time.After(lasting)
			assert.Equal(t, 503, p.ready())
			assert.LessOrEqual(
				t,
				float64(denier.came.Load()-came)/time.Since(began).Seconds(),
				30.0,
				"attempts per second",
			)

			proxy.Redirect(server.Addr())
			source.write(t, 100)
			source.awaitCopies(t, 0)
			p.awaitReady(t, 200)
			p.requireToldOnce(t)
			awaitCommitted(t, client)
			source.requireNoneTwice(t, p)
		})
	}
}

// needs are the commands without which nothing works.
var needs = []string{
	"EVAL",
	"EVALSHA",
	"EXISTS",
	"EXPIRETIME",
	"GET",
	"HDEL",
	"HGET",
	"HGETALL",
	"HMGET",
	"HSET",
	"PERSIST",
	"PEXPIRE",
	"SET",
	"TIME",
	"TYPE",
	"XADD",
	"XINFO",
	"XREAD",
	"ZADD",
	"ZCARD",
	"ZRANGE",
	"ZRANGEBYSCORE",
	"ZREM",
	"ZREMRANGEBYSCORE",
	"ZSCORE",
}

// dispensable are those that help.
var dispensable = []string{"CLIENT", "HELLO", "INFO", "PING", "PUBLISH", "SUBSCRIBE", "XGROUP", "XLEN"}

// A command that a server has renamed or disabled is named before anything is done, if it is
// needed.
func TestPipelineNamesTheCommandThatTheServerLacks(t *testing.T) {
	for _, command := range needs {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			builder := service.NewStreamBuilder()
			require.NoError(
				t,
				builder.SetYAML(copier{url: redistest.Start(t, taken(command)...).URL()}.yaml(freeAddress(t))),
			)
			builder.SetLogger(slog.New(slog.DiscardHandler))
			stream, err := builder.Build()
			require.NoError(t, err)
			results, err := stream.ConnectionTest(t.Context())
			require.NoError(t, err)
			require.Len(t, results, 2, "the input and the output")
			for _, result := range results {
				require.ErrorContains(t, result.Err, " without "+command+": rafka needs")
				require.ErrorContains(
					t,
					result.Err,
					"with these commands enabled: upgrade it, or point `url` to another one",
				)
			}
		})
	}
}

// The log says so, and the pipeline goes on by itself when the server is mended, which takes a
// restart.
func TestPipelineGoesOnWhenTheServerKnowsTheCommand(t *testing.T) {
	t.Parallel()
	lacking, mended := redistest.Start(t, taken("XADD", "ZSCORE")...), redistest.Start(t)
	client := mended.Client(t)
	source := newSource(t, client)
	source.write(t, 100)
	proxy := redistest.StartProxy(t, lacking.Addr())
	burden := burdenOf(t, lacking.Client(t))
	p := start(t, copier{url: proxy.URL()})
	awaitTold(t, p.journal, "path=root.input", "without XADD, ZSCORE: rafka needs")
	awaitTold(t, p.journal, "path=root.output", "without XADD, ZSCORE: rafka needs")
	p.awaitReady(t, 503)
	<-time.After(lasting)
	burden.requireBearable(t, lacking.Client(t))
	assert.Equal(t, 503, p.ready())
	proxy.Redirect(mended.Addr())
	proxy.Reset()
	proxy.Pass()
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	source.requireOnce(t)
}

// Nothing is sent that the lists above do not have, and of the one nothing is missed.
func TestPipelineDoesWithoutDispensableCommands(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, taken(slices.DeleteFunc(slices.Clone(dispensable), func(name string) bool {
		return name == "INFO" || name == "XLEN" // this test sends them
	})...)...)
	client := server.Client(t)
	source := newSource(t, client)
	require.NoError(t, client.ConfigResetStat(t.Context()).Err())
	p := start(t, copier{url: server.URL()})
	source.write(t, 100)
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	awaitCommitted(t, client)
	for name := range executed(t, client) {
		family, _, _ := strings.Cut(name, "|")
		if !slices.Contains([]string{"config", "xrange", "zcount"}, family) { // this test's own
			assert.Contains(t, append(needs, dispensable...), strings.ToUpper(family))
		}
	}
	assert.Empty(t, p.journal.Lines("level=ERROR"))
	assert.Empty(t, p.journal.Lines("level=WARN"))
	source.requireOnce(t)
}
