package redistest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	slots = 16384
	// nodeTimeout is the number of ms after which a cluster takes a node that does not answer for
	// dead.
	nodeTimeout = "1000"
)

// Cluster is a Redis Cluster of real servers that belongs to one test. Each of its nodes can be
// killed, paused and restarted like any Server.
type Cluster struct {
	node  Options // of each
	nodes []*Server
	ids   map[string]*Server
	// certificates is nil unless the nodes speak TLS.
	certificates *Certificates
}

// StartCluster starts a cluster whose masters share the slots evenly, each with so many replicas.
// Every node serves all slots and every replica is in sync when it returns. A node that does not
// answer is taken for dead after a second. args are added to every node's command line, such as
// "--cluster-require-full-coverage", "no".
func StartCluster(t testing.TB, masters, replicas int, args ...string) *Cluster {
	t.Helper()
	return startCluster(t, masters, replicas, nil, args)
}

// StartTLSCluster starts a cluster that speaks nothing but TLS, among its nodes too.
func StartTLSCluster(t testing.TB, masters, replicas int, certificates *Certificates) *Cluster {
	t.Helper()
	return startCluster(
		t,
		masters,
		replicas,
		certificates,
		[]string{"--tls-cluster", "yes", "--tls-replication", "yes"},
	)
}

func startCluster(t testing.TB, masters, replicas int, certificates *Certificates, args []string) *Cluster {
	t.Helper()
	args = append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", nodeTimeout, "--cluster-replica-validity-factor", "0",
		"--cluster-allow-replica-migration", "no",
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}, args...)
	c := &Cluster{node: Options{Args: args}, certificates: certificates, ids: map[string]*Server{}}
	if certificates != nil {
		c.node = certificates.options(args...)
	}
	c.nodes = launchAll(t, slices.Repeat([]Options{c.node}, masters*(1+replicas)))
	c.join(t, masters)
	for i, replica := range c.nodes[masters:] {
		replica.must(t, "cluster", "replicate", c.nodes[i%masters].must(t, "cluster", "myid"))
	}
	c.Await(t)
	return c
}

// launchAll starts servers at the same time.
func launchAll(t testing.TB, options []Options) []*Server {
	t.Helper()
	servers, errs := make([]*Server, len(options)), make([]error, len(options))
	var starts sync.WaitGroup
	for i, o := range options {
		starts.Go(func() {
			var p *Process
			if p, errs[i] = Launch(o); errs[i] == nil {
				servers[i] = &Server{process: p}
			}
		})
	}
	starts.Wait()
	for _, s := range servers {
		if s != nil {
			s.closeAfter(t)
		}
	}
	if err := cmp.Or(errs...); err != nil {
		t.Fatalf("starting %d redis-servers for this test: %v", len(options), err)
	}
	return servers
}

// join gives the first nodes the slots and makes all nodes know each other.
func (c *Cluster) join(t testing.TB, masters int) {
	t.Helper()
	for i, node := range c.nodes {
		c.introduce(t, node, c.nodes[:i])
		if i < masters {
			node.must(t, "cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
		}
	}
	c.awaitKnown(t)
}

// introduce makes a node known to others. It has an epoch of its own from the beginning, since
// nodes that share one would have to settle that first.
func (c *Cluster) introduce(t testing.TB, node *Server, others []*Server) {
	t.Helper()
	c.ids[node.must(t, "cluster", "myid").(string)] = node
	node.must(t, "cluster", "set-config-epoch", len(c.ids))
	for _, other := range others {
		host, port, _ := strings.Cut(other.Addr(), ":")
		node.must(t, "cluster", "meet", host, port)
	}
}

// awaitKnown waits until every node knows all nodes and slots.
func (c *Cluster) awaitKnown(t testing.TB) {
	t.Helper()
	known := fmt.Sprintf("cluster_known_nodes:%d\r", len(c.nodes))
	assigned := fmt.Sprintf("cluster_slots_assigned:%d\r", slots)
	for _, node := range c.nodes {
		settle(t, node.Addr()+" to know all nodes and slots", func(ctx context.Context) error {
			info, err := node.text(ctx, "cluster", "info")
			return missing(err, info, known, assigned)
		})
	}
}

// AddMaster adds a master that has no slots yet.
func (c *Cluster) AddMaster(t testing.TB) *Server {
	t.Helper()
	node := launchAll(t, []Options{c.node})[0]
	c.introduce(t, node, c.running())
	c.nodes = append(c.nodes, node)
	c.awaitKnown(t)
	c.Await(t)
	return node
}

// URL lists all nodes, as the field url takes them.
func (c *Cluster) URL() string {
	if c.certificates != nil {
		return overTLS(urlOf(c.nodes))
	}
	return urlOf(c.nodes)
}

func urlOf(servers []*Server) string {
	urls := make([]string, len(servers))
	for i, s := range servers {
		urls[i] = s.URL()
	}
	return strings.Join(urls, ",")
}

// Nodes are all nodes: those that began as masters, then the replicas, one for each master in turn.
func (c *Cluster) Nodes() []*Server { return slices.Clone(c.nodes) }

// running are the nodes that can be asked.
func (c *Cluster) running() []*Server {
	return slices.DeleteFunc(c.Nodes(), func(s *Server) bool { return !s.awake() })
}

// Client returns a client of the cluster that is closed when t ends. It learns of changes within
// 100 ms; options change that and anything else.
func (c *Cluster) Client(t testing.TB, options ...func(*redis.ClusterOptions)) *redis.ClusterClient {
	t.Helper()
	o := &redis.ClusterOptions{
		ContextTimeoutEnabled:      true,
		ClusterStateReloadInterval: 100 * time.Millisecond,
		DialerRetries:              1,
		DisableIdentity:            true,
		DialTimeout:                clientTimeout,
		ReadTimeout:                clientTimeout,
		WriteTimeout:               clientTimeout,
	}
	for _, node := range c.nodes {
		o.Addrs = append(o.Addrs, node.Addr())
	}
	if c.certificates != nil {
		o.TLSConfig = c.certificates.Config(t)
	}
	for _, change := range options {
		change(o)
	}
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() }) // the test may have closed it
	return client
}
