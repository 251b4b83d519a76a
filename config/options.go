package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// refused are options of a URL that go-redis knows and rafka does not allow, with the reason.
var refused = map[string]string{
	"max_retries":                reasonRetries,
	"min_retry_backoff":          reasonRetries,
	"max_retry_backoff":          reasonRetries,
	"dialer_retries":             reasonRetries,
	"dialer_retry_timeout":       reasonRetries,
	"read_only":                  reasonReplicas,
	"replica_only":               reasonReplicas,
	"use_disconnected_replicas":  reasonReplicas,
	"route_by_latency":           reasonReplicas,
	"route_by_latency_tolerance": reasonReplicas,
	"route_randomly":             reasonReplicas,
	"username":                   "set the field username instead",
	"password":                   "set the field password instead",
	"disableIdentity":            "rafka never sends CLIENT SETINFO: remove it",
	"identitySuffix":             "rafka never sends CLIENT SETINFO: remove it",
	"unstable_resp3":             "remove it",
}

const (
	reasonRetries  = "rafka retries by itself: remove it"
	reasonReplicas = "rafka reads from masters only, since a replica may lag behind what was committed: remove it"
)

// tuning points at the settings that the options of all three kinds of clients share, so that they
// are written once.
type tuning struct {
	clientName, username, password        *string
	dial, read, write, wait               *time.Duration
	poolSize, minIdle, maxRetries         *int
	dialerRetries, pipelinePool, protocol *int
	readBuffer, writeBuffer               *int
	contextTimeout, disableIdentity       *bool
	onConnect                             *func(context.Context, *redis.Conn) error
}

func tuneSimple(o *redis.Options) tuning {
	return tuning{
		clientName: &o.ClientName, username: &o.Username, password: &o.Password,
		dial: &o.DialTimeout, read: &o.ReadTimeout, write: &o.WriteTimeout, wait: &o.PoolTimeout,
		poolSize: &o.PoolSize, minIdle: &o.MinIdleConns, maxRetries: &o.MaxRetries,
		dialerRetries: &o.DialerRetries, pipelinePool: &o.PipelinePoolSize, protocol: &o.Protocol,
		readBuffer: &o.ReadBufferSize, writeBuffer: &o.WriteBufferSize,
		contextTimeout: &o.ContextTimeoutEnabled, disableIdentity: &o.DisableIdentity,
		onConnect: &o.OnConnect,
	}
}

func tuneCluster(o *redis.ClusterOptions) tuning {
	return tuning{
		clientName: &o.ClientName, username: &o.Username, password: &o.Password,
		dial: &o.DialTimeout, read: &o.ReadTimeout, write: &o.WriteTimeout, wait: &o.PoolTimeout,
		poolSize: &o.PoolSize, minIdle: &o.MinIdleConns, maxRetries: &o.MaxRetries,
		dialerRetries: &o.DialerRetries, pipelinePool: &o.PipelinePoolSize, protocol: &o.Protocol,
		readBuffer: &o.ReadBufferSize, writeBuffer: &o.WriteBufferSize,
		contextTimeout: &o.ContextTimeoutEnabled, disableIdentity: &o.DisableIdentity,
		onConnect: &o.OnConnect,
	}
}

func tuneFailover(o *redis.FailoverOptions) tuning {
	return tuning{
		clientName: &o.ClientName, username: &o.Username, password: &o.Password,
		dial: &o.DialTimeout, read: &o.ReadTimeout, write: &o.WriteTimeout, wait: &o.PoolTimeout,
		poolSize: &o.PoolSize, minIdle: &o.MinIdleConns, maxRetries: &o.MaxRetries,
		dialerRetries: &o.DialerRetries, pipelinePool: &o.PipelinePoolSize, protocol: &o.Protocol,
		readBuffer: &o.ReadBufferSize, writeBuffer: &o.WriteBufferSize,
		contextTimeout: &o.ContextTimeoutEnabled, disableIdentity: &o.DisableIdentity,
		onConnect: &o.OnConnect,
	}
}

// parseOptions has go-redis parse the options of the URL for the kind of client that was asked for.
func (c *Connection) parseOptions(t target) error {
	if err := checkRefused(t); err != nil {
		return err
	}
	var err error
	switch c.kind {
	case kindCluster:
		if c.cluster, err = redis.ParseClusterURL(t.url()); err == nil {
			c.cluster.Addrs = append(slices.Clone(t.addrs), c.cluster.Addrs[1:]...)
		}
	case kindFailover:
		if c.failover, err = redis.ParseFailoverURL(t.url()); err == nil {
			c.failover.SentinelAddrs = append(slices.Clone(t.addrs), c.failover.SentinelAddrs[1:]...)
			c.failover.DB, err = t.database(c.failover.DB)
		}
	default:
		if c.simple, err = redis.ParseURL(t.url()); err == nil {
			c.simple.DB, err = t.database(c.simple.DB)
		}
	}
	if err != nil {
		return explainOptions(err)
	}
	return nil
}

// database is the number of the option db, or else that of the path.
func (t *target) database(option int) (int, error) {
	switch {
	case !t.options.Has("db"):
		return t.db, nil
	case option < 0:
		return 0, errors.New("the option db must not be negative")
	default:
		return option, nil
	}
}

func checkRefused(t target) error {
	for _, name := range slices.Sorted(maps.Keys(t.options)) {
		if reason, found := refused[name]; found {
			return fmt.Errorf("url: the option %s is not supported: %s", name, reason)
		}
	}
	return nil
}

// explainOptions rewords an error about an option. It may quote the option's value, but never
// credentials: they were taken out.
func explainOptions(err error) error {
	text := strings.TrimPrefix(err.Error(), "redis: ")
	if names, found := strings.CutPrefix(text, "unexpected option: "); found {
		return fmt.Errorf("url: unknown option %s: remove it, or correct its name", names)
	}
	return errors.New("url: " + text + ": correct the option after the question mark")
}
