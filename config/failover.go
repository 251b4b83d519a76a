package config

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinelAnswers is how many answers of Sentinels go-redis may wait for in vain before it asks one that lives: it asks the one that it knows
// twice, and then all at once, the dead one among them.
const sentinelAnswers = 3

// bySentinels has the time for finding the master by the Sentinels come on top of the time for dialling it. go-redis counts both as
// dialling, and the answer of a Sentinel may take as long by itself: where one was frozen, or gone with its machine, every attempt was over
// when it gave that one up, and no connection was ever made.
func bySentinels(o *redis.FailoverOptions) *redis.FailoverOptions {
	o.Dialer = dialer(o.DialTimeout, o.TLSConfig)
	o.DialTimeout += sentinelAnswers * o.ReadTimeout
	return o
}

// dialer makes connections within the timeout, of which go-redis knows nothing: it leaves TLS to its dialer too.
func dialer(timeout time.Duration, secure *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{}
	dial := plain.DialContext
	if secure != nil {
		dial = (&tls.Dialer{NetDialer: plain, Config: secure}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return dial(ctx, network, addr)
	}
}
