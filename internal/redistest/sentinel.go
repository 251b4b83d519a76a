package redistest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// sentinels is how many Sentinels watch a master; two of them must agree.
const sentinels = 3

// Sentinel is a master with replicas and three Sentinels, all real servers that belong to one test.
// The Sentinels promote a replica within a few seconds after they consider the master dead.
type Sentinel struct {
	servers   []*Server // master and replicas, as they started
	sentinels []*Server
	o         SentinelOptions
}

// StartSentinel starts the servers. When it returns, the replicas are in sync and the Sentinels
// know each other.
func StartSentinel(t testing.TB, o SentinelOptions) *Sentinel {
	t.Helper()
	o.Replicas = cmp.Or(o.Replicas, 1)
	s := &Sentinel{o: o}
	s.servers = launchAll(t, slices.Repeat([]Options{o.server()}, 1+o.Replicas))
	for _, server := range s.servers {
		server.password = o.Password
	}
	host, port, _ := strings.Cut(s.servers[0].Addr(), ":")
	for _, replica := range s.servers[1:] {
		replica.mustDo(t, "replicaof", host, port)
	}
	s.awaitReplicas(t, s.servers[0], o.Replicas)
	s.sentinels = launchAll(t, slices.Repeat([]Options{o.sentinel(s.config(host, port))}, sentinels))
	for _, sentinel := range s.sentinels {
		sentinel.password = o.SentinelPassword
		// Their default periods are seconds. A replica can be promoted if it was heard within five
		// ping periods, and Sentinels query replicas of a dead master once a second. A master that
		// they don't know becomes a replica after four publish periods, in which they must have
		// learned of a promotion.
		sentinel.mustDo(
			t,
			"sentinel",
			"debug",
			"info-period",
			200,
			"ping-period",
			300,
			"ask-period",
			100,
			"publish-period",
			500,
		)
	}
	s.Await(t)
	return s
}

// awaitReplicas waits until n replicas of the master are in sync.
func (s *Sentinel) awaitReplicas(t testing.TB, master *Server, n int) {
	t.Helper()
	waitFor(t, "the replicas to be in sync", func(ctx context.Context) error {
		info, err := master.doText(ctx, "info", "replication")
		if err = requireParts(err, info, "role:master"); err == nil && replicas(info) < n {
			err = errors.New(info)
		}
		return err
	})
}

// Await waits until the Sentinels agree on a running master, know each other and all running
// servers, and consider none of those dead.
func (s *Sentinel) Await(t testing.TB) {
	t.Helper()
	for _, sentinel := range s.sentinels {
		waitFor(
			t,
			"sentinel "+sentinel.Addr()+" to know all",
			func(ctx context.Context) error { return s.knowsAll(ctx, sentinel) },
		)
	}
	replicas := len(slices.DeleteFunc(slices.Clone(s.servers), func(s *Server) bool { return !s.isUp() })) - 1
	s.awaitReplicas(t, s.Master(t), replicas)
}

func (s *Sentinel) knowsAll(ctx context.Context, sentinel *Server) error {
	if !sentinel.isUp() {
		return nil
	}
	master, err := sentinel.do(ctx, "sentinel", "master", s.MasterName())
	if err != nil {
		return err
	}
	fields := fieldsOf(master)
	if fields["flags"] != "master" || fields["num-other-sentinels"] != fmt.Sprint(sentinels-1) ||
		fields["failover-state"] != "" {
		return fmt.Errorf("it reports %v", fields)
	}
	list, err := sentinel.do(ctx, "sentinel", "replicas", s.MasterName())
	if err != nil {
		return err
	}
	replicas, _ := list.([]any)
	healthy := map[string]bool{fields["ip"] + ":" + fields["port"]: true}
	for _, replica := range replicas {
		f := fieldsOf(replica)
		healthy[f["name"]] = f["flags"] == "slave"
	}
	for _, server := range s.servers {
		if server.isUp() && !healthy[server.Addr()] {
			return fmt.Errorf("it reports %v, without %s", replicas, server.Addr())
		}
	}
	return nil
}

// fieldsOf parses a list of names and values, or a map.
func fieldsOf(reply any) map[string]string {
	fields := map[string]string{}
	switch reply := reply.(type) {
	case map[any]any:
		for name, value := range reply {
			fields[fmt.Sprint(name)] = fmt.Sprint(value)
		}
	case []any:
		for i := 0; i+1 < len(reply); i += 2 {
			fields[fmt.Sprint(reply[i])] = fmt.Sprint(reply[i+1])
		}
	}
	return fields
}

// URL returns the URLs of the Sentinels, for the field url.
func (s *Sentinel) URL() string {
	if s.o.TLS != nil {
		return overTLS(urlOf(s.sentinels))
	}
	return urlOf(s.sentinels)
}

// MasterName returns the name of the master in the configuration of the Sentinels.
func (s *Sentinel) MasterName() string { return "mymaster" }

// Sentinels returns the Sentinels.
func (s *Sentinel) Sentinels() []*Server { return slices.Clone(s.sentinels) }

// Servers returns the first master and its replicas.
func (s *Sentinel) Servers() []*Server { return slices.Clone(s.servers) }

// Master returns the server that the running Sentinels consider the master, dead or alive.
func (s *Sentinel) Master(t testing.TB) (master *Server) {
	t.Helper()
	waitFor(t, "the sentinels to agree on a master", func(ctx context.Context) error {
		agreed := ""
		for _, sentinel := range s.sentinels {
			if !sentinel.isUp() {
				continue
			}
			reply, err := sentinel.do(ctx, "sentinel", "get-master-addr-by-name", s.MasterName())
			if err != nil {
				return err
			}
			addr, _ := reply.([]any)
			if text := fmt.Sprint(addr...); agreed == "" {
				agreed = text
			} else if text != agreed {
				return fmt.Errorf("one reports %s, another %s", agreed, text)
			}
		}
		for _, server := range s.servers {
			if host, port, _ := strings.Cut(server.Addr(), ":"); fmt.Sprint(host, port) == agreed {
				master = server
				return nil
			}
		}
		return fmt.Errorf("unknown server %s", agreed)
	})
	return master
}

// AwaitPromotion waits until the Sentinels agree on another master than the given one, which can be
// dead, and the new one accepts writes. It returns the new master.
func (s *Sentinel) AwaitPromotion(t testing.TB, old *Server) *Server {
	t.Helper()
	waitFor(t, "another master than "+old.Addr(), func(context.Context) error {
		if master := s.Master(t); master == old {
			return errors.New("the sentinels still report it")
		}
		return nil
	})
	master := s.Master(t)
	s.awaitReplicas(t, master, 0)
	return master
}

// Failover makes the Sentinels promote a replica although the master is running, and waits until
// the old master is a replica. It returns the new master.
func (s *Sentinel) Failover(t testing.TB) *Server {
	t.Helper()
	old := s.Master(t)
	waitFor(t, "a failover", func(ctx context.Context) error { return s.replace(ctx, old) })
	master := s.AwaitPromotion(t, old)
	s.Await(t)
	return master
}

// replace makes the first Sentinel start a failover, unless one is in progress, and returns nil
// when it is complete. On a busy machine the Sentinel can refuse, because the replica was silent
// recently, or abort the failover.
func (s *Sentinel) replace(ctx context.Context, old *Server) error {
	master, err := s.sentinels[0].do(ctx, "sentinel", "master", s.MasterName())
	if err != nil {
		return err
	}
	fields := fieldsOf(master)
	if fields["ip"]+":"+fields["port"] != old.Addr() {
		return nil
	}
	if fields["failover-state"] == "" {
		if _, err := s.sentinels[0].do(ctx, "sentinel", "failover", s.MasterName()); err != nil {
			return err
		}
	}
	return fmt.Errorf("it reports %v", fields)
}

// Client returns a client that finds the master through the Sentinels and is closed when t ends.
// Options can change anything.
func (s *Sentinel) Client(t testing.TB, options ...func(*redis.FailoverOptions)) *redis.Client {
	t.Helper()
	o := &redis.FailoverOptions{
		MasterName:            s.MasterName(),
		Password:              s.o.Password,
		SentinelPassword:      s.o.SentinelPassword,
		ContextTimeoutEnabled: true,
		DialerRetries:         1,
	}
	for _, sentinel := range s.sentinels {
		o.SentinelAddrs = append(o.SentinelAddrs, sentinel.Addr())
	}
	if s.o.TLS != nil {
		o.TLSConfig = s.o.TLS.Config(t)
	}
	for _, change := range options {
		change(o)
	}
	client := redis.NewFailoverClient(o)
	t.Cleanup(func() { _ = client.Close() }) // the test may have closed it
	return client
}
