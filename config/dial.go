package config

import (
	"context"
	"crypto/tls"
	"net"
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
func bySentinels(o *redis.FailoverOptions) *redis.FailoverOptions {
	o.Dialer = dialer(o.DialTimeout, o.TLSConfig)
	o.DialTimeout += sentinelAnswers * o.ReadTimeout
	return o
}

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
