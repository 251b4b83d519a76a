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

// Client is what Open returns, named so that its owners need not know whose client it is.
type Client = redis.UniversalClient

// Open makes a client for the role, which the caller closes. Nothing is dialled before the first
// request, unless pool.min_idle asks for connections to be kept ready. An error means that the
// embedded server could not be started.
//
// The handshake sends no CLIENT SETINFO and asks for no maintenance notifications, since managed
// services may refuse them. CLIENT SETNAME is sent for people who look at CLIENT LIST, and may be
// refused.
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
		client.AddHook(reloadOnTrouble{client})
		return client, nil
	case kindFailover:
		bySentinels(o)
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

// nameConnections has connections named after they were made. go-redis would do so while it makes
// them, and give up those to a server that does not allow it.
func nameConnections(o *redis.UniversalOptions) {
	name := o.ClientName
	if name == "" {
		return
	}
	o.ClientName = ""
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		err := conn.ClientSetName(ctx, name).Err()
		if answer := redis.Error(nil); errors.As(err, &answer) {
			return nil // refused: nothing depends on it
		}
		return err
	}
}

// DebugLogger is the part of a service.Logger that RouteLogs needs.
type DebugLogger interface {
	Debugf(template string, args ...any)
}

// RouteLogs sends what go-redis would print to stderr to the logger, at debug level: whatever goes
// wrong reaches the caller of a request as an error anyway. It holds for the whole process, and the
// last call wins.
func RouteLogs(logger DebugLogger) { redis.SetLogger(logRoute{logger}) }

type logRoute struct{ logger DebugLogger }

// Printf is what go-redis calls.
func (r logRoute) Printf(_ context.Context, format string, args ...any) {
	r.logger.Debugf("go-redis: "+strings.TrimSpace(format), args...)
}
