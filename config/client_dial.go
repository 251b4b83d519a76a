package config

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinelAnswers is how many answers of Sentinels go-redis may wait for in vain before it asks one
// that lives: it asks the one that it knows twice, and then all at once, the dead one among them.
const sentinelAnswers = 3

// bySentinels has the time for finding the master by the Sentinels come on top of the time for
// dialling it. go-redis counts both as dialling, and the answer of a Sentinel may take as long by
// itself: where one was frozen, or gone with its machine, every attempt was over when it gave that
// one up, and no connection was ever made.
func bySentinels(o *redis.UniversalOptions) { o.DialTimeout += sentinelAnswers * o.ReadTimeout }

// dialer makes connections within the timeout. go-redis leaves TLS to a dialer that it was given,
// and the time.
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
		return atDoor(conn), nil
	}
}

// handshake secures a connection, or closes it. That nobody answered is an error of the operation
// "handshake": it is what a server does that does not speak TLS.
func handshake(ctx context.Context, conn net.Conn, addr string, secure *tls.Config) (net.Conn, error) {
	if secure.ServerName == "" {
		secure = secure.Clone()
		secure.ServerName, _, _ = net.SplitHostPort(addr) // or else verifying says that there is none
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

// refusals begin what a server says to a connection that it does not let in, before it closes it.
var refusals = []string{"ERR max number of clients", "DENIED"}

// RefusedError is what a server said when it did not let a connection in: it reads no request then.
type RefusedError struct {
	said string
}

// Error is the server's own text.
func (e *RefusedError) Error() string { return e.said }

// Refusal is the server's answer to all that is sent over the connection. It is not marked as an
// answer of Redis: go-redis would take it for that to its HELLO, go on without, and report a broken
// pipe.
func (e *RefusedError) Refusal() string { return e.said }

// door is a connection of which the first answer may be a refusal.
type door struct {
	net.Conn
	// Both are set by the first Read, before anybody else has the connection.
	heard   bool
	refused error
}

// atDoor has the refusal of a server be the error of the connection.
func atDoor(conn net.Conn) net.Conn {
	d := &door{Conn: conn}
	if raw, ok := conn.(syscall.Conn); ok {
		return struct { // go-redis looks whether an idle connection still lives, where it can
			*door
			syscall.Conn
		}{d, raw}
	}
	return d
}

// NetConn leads go-redis through TLS to where it can look whether something has come, such as the
// alert that a certificate is wanted.
func (d *door) NetConn() net.Conn { return d.Conn }

// Read fails once a refusal has come. go-redis may read ahead and forget the error, so it stays.
func (d *door) Read(p []byte) (int, error) {
	if d.refused != nil {
		return 0, d.refused
	}
	n, err := d.Conn.Read(p)
	if d.heard || n == 0 {
		return n, err
	}
	d.heard = true
	if d.refused = refusalIn(p[:n]); d.refused != nil {
		return 0, d.refused
	}
	return n, err
}

// Write fails likewise.
func (d *door) Write(p []byte) (int, error) {
	if d.refused != nil {
		return 0, d.refused
	}
	return d.Conn.Write(p)
}

// refusalIn is the refusal that an answer is, if it is one.
func refusalIn(answer []byte) error {
	line, _, _ := strings.Cut(string(answer), "\r\n")
	text, failed := strings.CutPrefix(line, "-")
	if failed && slices.ContainsFunc(refusals, func(begin string) bool { return strings.HasPrefix(text, begin) }) {
		return &RefusedError{said: text}
	}
	return nil
}
