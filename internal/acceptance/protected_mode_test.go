package acceptance

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// protectedServer answers every request like a Redis server in protected mode, which a test on one
// machine can't provoke. It counts its connections.
type protectedServer struct {
	listener    net.Listener
	connections atomic.Int64
	serving     sync.WaitGroup
}

func startProtectedServer(t *testing.T) *protectedServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &protectedServer{listener: listener}
	d.serving.Go(d.accept) // ends when the listener is closed
	t.Cleanup(func() {
		_ = listener.Close()
		d.serving.Wait()
	})
	return d
}

func (d *protectedServer) accept() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.connections.Add(1)
		d.serving.Go(func() { d.reject(conn) }) // ends with the client, or at the deadline
	}
}

func (*protectedServer) reject(conn net.Conn) {
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

// A server in protected mode, at the start or at a reconnect.
func TestPipelineSurvivesProtectedMode(t *testing.T) {
	for _, when := range []string{"at the start", "while running"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			server, protected := redistest.Start(t), startProtectedServer(t)
			client := server.Client(t)
			source := newSource(t, client)
			source.write(t, 100)
			proxy := redistest.StartProxy(t, server.Addr())
			deny := func() {
				proxy.Redirect(protected.listener.Addr().String())
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
				awaitLogged(t, p.journal, "path=root.output", "DENIED", "the server is in protected mode")
			}
			awaitLogged(
				t,
				p.journal,
				"path=root.input",
				"DENIED",
				"set a password on the server, or bind it to the right address",
			)
			p.awaitReady(t, 503)
			began, connections := time.Now(), protected.connections.Load()
			<-time.After(outageLasts)
			assert.Equal(t, 503, p.ready())
			assert.LessOrEqual(
				t,
				float64(protected.connections.Load()-connections)/time.Since(began).Seconds(),
				30.0,
				"attempts per second",
			)

			proxy.Redirect(server.Addr())
			source.write(t, 100)
			source.awaitCopies(t, 0)
			p.awaitReady(t, 200)
			p.requireLoggedOnce(t)
			awaitCommitted(t, client)
			source.requireNoDuplicates(t, p)
		})
	}
}
