package config

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
)

// sentinelAnswers is how many Sentinels that don't answer go-redis may wait for before it reaches a
// Sentinel that does: it queries the Sentinel that it knows twice, and then all of them together.
const sentinelAnswers = 3

// withSentinelTimeout adds the time for the Sentinel lookups to the dial timeout. go-redis counts
// both as dialling: with one Sentinel frozen, every dial timed out during the lookup.
// https://github.com/redis/go-redis/issues/3172 reports the same.
func withSentinelTimeout(o *redis.UniversalOptions) { o.DialTimeout += sentinelAnswers * o.ReadTimeout }

// dialer returns a function that makes connections within the timeout. go-redis applies neither TLS
// nor the timeout to connections of a custom dialer.
func dialer(
	timeout time.Duration,
	secure *tls.Config,
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil && secure != nil {
			conn, err = handshake(ctx, conn, addr, secure)
		}
		if err != nil {
			return nil, err
		}
		return detectRejection(conn), nil
	}
}

// handshake returns the connection with TLS, or closes it. A timeout is an error of the operation
// "handshake": a server that doesn't speak TLS doesn't answer the handshake.
func handshake(ctx context.Context, conn net.Conn, addr string, secure *tls.Config) (net.Conn, error) {
	if secure.ServerName == "" {
		secure = secure.Clone()
		secure.ServerName, _, _ = net.SplitHostPort(addr) // without a name, verification fails
	}
	safe := tls.Client(conn, secure)
	err := safe.HandshakeContext(ctx)
	if err == nil {
		return safe, nil
	}
	_ = conn.Close()
	if ctx.Err() != nil {
		err = &net.OpError{Op: "handshake", Net: "tls", Addr: conn.RemoteAddr(), Err: err}
	}
	return nil, err
}

// rejectableConn is a connection that returns a [rediserr.Rejection] as a read and a write error.
// Otherwise go-redis takes the rejection for the reply to its HELLO, goes on without RESP3, and
// reports the broken pipe that follows. https://github.com/redis/go-redis/issues/2251 asked for a
// special treatment of this error, and was closed without one.
type rejectableConn struct {
	net.Conn
	// Both are set by the first Read, before the connection is shared.
	answered bool
	rejected error
}

// detectRejection returns a connection that reports the server's rejection.
func detectRejection(conn net.Conn) net.Conn {
	c := &rejectableConn{Conn: conn}
	if raw, ok := conn.(syscall.Conn); ok {
		return struct { // go-redis checks by syscall.Conn whether an idle connection is still open
			*rejectableConn
			syscall.Conn
		}{c, raw}
	}
	return c
}

// NetConn returns the connection below. go-redis checks it for data that the server sent without a
// request, such as a TLS alert.
func (c *rejectableConn) NetConn() net.Conn { return c.Conn }

// Read returns the rejection as an error, in this and in every later call: go-redis may drop the
// first error.
func (c *rejectableConn) Read(p []byte) (int, error) {
	if c.rejected != nil {
		return 0, c.rejected
	}
	n, err := c.Conn.Read(p)
	if c.answered || n == 0 {
		return n, err
	}
	c.answered = true
	if c.rejected = rejectionIn(p[:n]); c.rejected != nil {
		return 0, c.rejected
	}
	return n, err
}

// Write returns the rejection as an error once Read has received one.
func (c *rejectableConn) Write(p []byte) (int, error) {
	if c.rejected != nil {
		return 0, c.rejected
	}
	return c.Conn.Write(p)
}

// rejectionIn returns the rejection that the reply consists of, or nil.
func rejectionIn(reply []byte) error {
	line, _, _ := strings.Cut(string(reply), "\r\n")
	if text, failed := strings.CutPrefix(line, "-"); failed {
		if rejection, ok := rediserr.RejectionOf(text); ok {
			return rejection
		}
	}
	return nil
}
