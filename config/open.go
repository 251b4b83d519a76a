package config

import (
	"slices"

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
	switch {
	case c.cluster != nil:
		o := c.clusterOptions(role)
		o.Dialer = dialer(o.DialTimeout, o.TLSConfig)
		client := redis.NewClusterClient(o)
		client.AddHook(reloadOnTrouble{client})
		return client, nil
	case c.failover != nil:
		return redis.NewFailoverClient(bySentinels(c.failoverOptions(role))), nil
	}
	o, err := c.simpleOptions(role)
	if err != nil {
		return nil, err
	}
	o.Dialer = dialer(o.DialTimeout, o.TLSConfig)
	return redis.NewClient(o), nil
}

func (c *Connection) simpleOptions(role Role) (*redis.Options, error) {
	o := *c.simple
	o.TLSConfig = o.TLSConfig.Clone()
	o.MaintNotificationsConfig = noNotifications()
	role.apply(tuneSimple(&o))
	if !c.Embedded() {
		return &o, nil
	}
	addr, err := embedded.Open(c.target.addrs[0])
	o.Addr = addr
	return &o, err
}

func (c *Connection) clusterOptions(role Role) *redis.ClusterOptions {
	o := *c.cluster
	o.Addrs = slices.Clone(o.Addrs)
	o.TLSConfig = o.TLSConfig.Clone()
	o.MaintNotificationsConfig = noNotifications()
	tune := tuneCluster(&o)
	role.onCluster(tune).apply(tune)
	return &o
}

// failoverOptions need nothing about maintenance notifications: go-redis never asks for them there.
func (c *Connection) failoverOptions(role Role) *redis.FailoverOptions {
	o := *c.failover
	o.SentinelAddrs = slices.Clone(o.SentinelAddrs)
	o.TLSConfig = o.TLSConfig.Clone()
	role.apply(tuneFailover(&o))
	return &o
}

func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
