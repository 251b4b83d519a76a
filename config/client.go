package config

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/rafka-streams/rafka/internal/embedded"
)

// Client is what Open returns.
type Client = redis.UniversalClient

// Open returns a new client for the role. The caller closes it. Nothing is dialled before the first
// request, unless pool.min_idle is set. Open returns an error only if the embedded server can't be
// started.
//
// The handshake sends no CLIENT SETINFO and requests no maintenance notifications, since managed
// services may reject them. CLIENT SETNAME names connections for CLIENT LIST; a server may reject
// it.
func (c *Connection) Open(role Role) (Client, error) {
	o := c.clientOptions(role)
	if c.Embedded() {
		addr, err := embedded.Open(c.url.addrs[0])
		if err != nil {
			return nil, err
		}
		o.Addrs = []string{addr}
	}
	o.Dialer = dialer(o.DialTimeout, o.TLSConfig)
	switch c.kind {
	case kindCluster:
		client := redis.NewClusterClient(o.Cluster())
		client.AddHook(reloadOnError{client})
		return client, nil
	case kindFailover:
		withSentinelTimeout(o)
		return redis.NewFailoverClient(o.Failover()), nil
	default:
		return redis.NewClient(o.Simple()), nil
	}
}

// clientOptions returns the options of a client for the role. The caller may change them.
func (c *Connection) clientOptions(role Role) *redis.UniversalOptions {
	o := c.options
	o.Addrs = slices.Clone(o.Addrs)
	o.TLSConfig = o.TLSConfig.Clone()
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	role.apply(&o, c.kind == kindCluster)
	nameConnections(&o)
	return &o
}

// nameConnections names each connection after its handshake. go-redis would name the connection
// during the handshake, and close it if the server rejects the name. go-redis has no issue about
// this; redis-py had the same one (https://github.com/redis/redis-py/issues/2384).
func nameConnections(o *redis.UniversalOptions) {
	name := o.ClientName
	if name == "" {
		return
	}
	o.ClientName = ""
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		err := conn.ClientSetName(ctx, name).Err()
		if answer := redis.Error(nil); errors.As(err, &answer) {
			return nil // rejected: nothing depends on the name
		}
		return err
	}
}

// DebugLogger is the part of a service.Logger that RouteLogs needs.
type DebugLogger interface {
	Debugf(template string, args ...any)
}

// RouteLogs sends what go-redis would print to stderr to the logger, at debug level: each failure
// also reaches the caller of a request as an error. RouteLogs applies to the whole process; the
// last call wins.
func RouteLogs(logger DebugLogger) { redis.SetLogger(logRoute{logger}) }

type logRoute struct{ logger DebugLogger }

// Printf implements the logger interface of go-redis.
func (r logRoute) Printf(_ context.Context, format string, args ...any) {
	r.logger.Debugf("go-redis: "+strings.TrimSpace(format), args...)
}
