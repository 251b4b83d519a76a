package redistest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinels is how many watch a master; two of them must agree.
const sentinels = 3

// SentinelOptions say what a Sentinel consists of. The zero value is a master with one replica,
// without passwords.
type SentinelOptions struct {
	// Replicas is the number of replicas, 1 if 0.
	Replicas int
	// Password is that of the master and its replicas, SentinelPassword that of the sentinels.
	// Neither has a user name.
	Password, SentinelPassword string
	// Args are appended to the command line of the master and its replicas.
	Args []string
	// SentinelConfig is appended to the configuration of the sentinels, line by line.
	SentinelConfig []string
	// DownAfter is how long a server may be silent before the sentinels hold it for dead, half a
	// second if 0. A busy machine may keep one silent for that long.
	DownAfter time.Duration
	// TLS has all of them speak nothing else, among themselves too.
	TLS *Certificates
}

// server are the options of the master and its replicas.
func (o SentinelOptions) server() Options {
	args := append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, o.Args...)
	if o.Password != "" {
		args = append(args, "--requirepass", o.Password, "--masterauth", o.Password)
	}
	if o.TLS != nil {
		return o.TLS.options(append(args, "--tls-replication", "yes")...)
	}
	return Options{Args: args}
}

// sentinel are the options of a sentinel.
func (o SentinelOptions) sentinel(config string) Options {
	watch := Options{Args: []string{"--sentinel"}}
	if o.TLS != nil {
		watch = o.TLS.options("--sentinel", "--tls-replication", "yes")
	}
	watch.Config = config
	return watch
}

// Sentinel is a master with replicas and the three sentinels that watch it, all real servers that
// belong to one test. The sentinels have promoted a replica a few seconds after they hold the
// master for dead.
type Sentinel struct {
	servers   []*Server // master and replicas, as they began
	sentinels []*Server
	o         SentinelOptions
}

// StartSentinel starts them. The replicas are in sync and the sentinels know each other when it
// returns.
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
		replica.must(t, "replicaof", host, port)
	}
	s.awaitReplicas(t, s.servers[0], o.Replicas)
	s.sentinels = launchAll(t, slices.Repeat([]Options{o.sentinel(s.config(host, port))}, sentinels))
	for _, sentinel := range s.sentinels {
		sentinel.password = o.SentinelPassword
		// They talk every few seconds otherwise. A replica can be promoted if it was heard of
		// within five ping periods, and replicas of a dead master are asked once a second. A master
		// that they don't know of is made a replica after four publish periods, in which they must
		// have heard of a promotion.
		sentinel.must(
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

func (s *Sentinel) config(host, port string) string {
	name := s.MasterName()
	lines := []string{
		"sentinel monitor " + name + " " + host + " " + port + " 2",
		fmt.Sprintf(
			"sentinel down-after-milliseconds %s %d",
			name,
			cmp.Or(s.o.DownAfter, 500*time.Millisecond).Milliseconds(),
		),
		"sentinel failover-timeout " + name + " 2000",
	}
	if s.o.Password != "" {
		lines = append(lines, "sentinel auth-pass "+name+" "+s.o.Password)
	}
	if s.o.SentinelPassword != "" {
		lines = append(lines, "requirepass "+s.o.SentinelPassword, "sentinel sentinel-pass "+s.o.SentinelPassword)
	}
	return strings.Join(append(lines, s.o.SentinelConfig...), "\n") + "\n"
}

// awaitReplicas waits until so many replicas of the master are in sync.
func (s *Sentinel) awaitReplicas(t testing.TB, master *Server, n int) {
	t.Helper()
	settle(t, "the replicas to be in sync", func(ctx context.Context) error {
		info, err := master.text(ctx, "info", "replication")
		if err = missing(err, info, "role:master"); err == nil && replicas(info) < n {
			err = errors.New(info)
		}
		return err
	})
}

// Await waits until the sentinels agree on a master that runs, know each other and all servers that
// run, and hold none of those for dead.
func (s *Sentinel) Await(t testing.TB) {
	t.Helper()
	for _, sentinel := range s.sentinels {
		settle(
			t,
			"sentinel "+sentinel.Addr()+" to know all",
			func(ctx context.Context) error { return s.knowsAll(ctx, sentinel) },
		)
	}
	replicas := len(slices.DeleteFunc(slices.Clone(s.servers), func(s *Server) bool { return !s.awake() })) - 1
	s.awaitReplicas(t, s.Master(t), replicas)
}

func (s *Sentinel) knowsAll(ctx context.Context, sentinel *Server) error {
	if !sentinel.awake() {
		return nil
	}
	master, err := sentinel.ask(ctx, "sentinel", "master", s.MasterName())
	if err != nil {
		return err
	}
	fields := fieldsOf(master)
	if fields["flags"] != "master" || fields["num-other-sentinels"] != fmt.Sprint(sentinels-1) ||
		fields["failover-state"] != "" {
		return fmt.Errorf("it knows %v", fields)
	}
	list, err := sentinel.ask(ctx, "sentinel", "replicas", s.MasterName())
	if err != nil {
		return err
	}
	replicas, _ := list.([]any)
	well := map[string]bool{fields["ip"] + ":" + fields["port"]: true}
	for _, replica := range replicas {
		f := fieldsOf(replica)
		well[f["name"]] = f["flags"] == "slave"
	}
	for _, server := range s.servers {
		if server.awake() && !well[server.Addr()] {
			return fmt.Errorf("it knows %v of %s", replicas, server.Addr())
		}
	}
	return nil
}

// fieldsOf reads a list of names and values, or a map.
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

// URL lists the sentinels, as the field url takes them.
func (s *Sentinel) URL() string {
	if s.o.TLS != nil {
		return overTLS(urlOf(s.sentinels))
	}
	return urlOf(s.sentinels)
}

// MasterName is the name under which the sentinels know the master.
func (s *Sentinel) MasterName() string { return "mymaster" }

// Sentinels are the sentinels.
func (s *Sentinel) Sentinels() []*Server { return slices.Clone(s.sentinels) }

// Servers are the first master and its replicas.
func (s *Sentinel) Servers() []*Server { return slices.Clone(s.servers) }

// Master is the server that the sentinels that run hold for the master, dead or alive.
func (s *Sentinel) Master(t testing.TB) (master *Server) {
	t.Helper()
	settle(t, "the sentinels to agree on a master", func(ctx context.Context) error {
		agreed := ""
		for _, sentinel := range s.sentinels {
			if !sentinel.awake() {
				continue
			}
			reply, err := sentinel.ask(ctx, "sentinel", "get-master-addr-by-name", s.MasterName())
			if err != nil {
				return err
			}
			addr, _ := reply.([]any)
			if text := fmt.Sprint(addr...); agreed == "" {
				agreed = text
			} else if text != agreed {
				return fmt.Errorf("one says %s, another %s", agreed, text)
			}
		}
		for _, server := range s.servers {
			if host, port, _ := strings.Cut(server.Addr(), ":"); fmt.Sprint(host, port) == agreed {
				master = server
				return nil
			}
		}
		return fmt.Errorf("nobody is %s", agreed)
	})
	return master
}

// AwaitPromotion waits until the sentinels agree on another master than the given one, which need
// not run any more, and the new one accepts writes. It returns the new master.
func (s *Sentinel) AwaitPromotion(t testing.TB, old *Server) *Server {
	t.Helper()
	settle(t, "another master than "+old.Addr(), func(context.Context) error {
		if master := s.Master(t); master == old {
			return errors.New("the sentinels stay with it")
		}
		return nil
	})
	master := s.Master(t)
	s.awaitReplicas(t, master, 0)
	return master
}

// Failover has the sentinels promote a replica although the master runs, and waits until it is a
// replica itself. It returns the new master.
func (s *Sentinel) Failover(t testing.TB) *Server {
	t.Helper()
	old := s.Master(t)
	settle(t, "a failover", func(ctx context.Context) error { return s.replace(ctx, old) })
	master := s.AwaitPromotion(t, old)
	s.Await(t)
	return master
}

// replace has the first sentinel begin a failover, unless one is under way, and answers nil once it
// is over. On a busy machine the sentinel may refuse, since it has not heard of the replica of
// late, or give the failover up.
func (s *Sentinel) replace(ctx context.Context, old *Server) error {
	master, err := s.sentinels[0].ask(ctx, "sentinel", "master", s.MasterName())
	if err != nil {
		return err
	}
	fields := fieldsOf(master)
	if fields["ip"]+":"+fields["port"] != old.Addr() {
		return nil
	}
	if fields["failover-state"] == "" {
		if _, err := s.sentinels[0].ask(ctx, "sentinel", "failover", s.MasterName()); err != nil {
			return err
		}
	}
	return fmt.Errorf("it knows %v", fields)
}

// Client returns a client that finds the master by the sentinels and is closed when t ends. Options
// change anything.
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
