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
	// nodeTimeout is the time in ms after which a cluster considers a silent node dead.
	nodeTimeout = "1000"
)

// Cluster is a Redis Cluster of real servers that belongs to one test. Each of its nodes can be
// killed, paused and restarted like any Server.
type Cluster struct {
	node  Options // options of each node
	nodes []*Server
	ids   map[string]*Server
	// certificates is nil unless the nodes speak TLS.
	certificates *Certificates
}

// StartCluster starts a cluster whose masters share the slots evenly, with the given number of
// replicas each. When it returns, every node serves all slots and every replica is in sync. A
// silent node counts as dead after a second. args are added to every node's command line, such as
// "--cluster-require-full-coverage", "no".
func StartCluster(t testing.TB, masters, replicas int, args ...string) *Cluster {
	t.Helper()
	return startCluster(t, masters, replicas, nil, args)
}

// StartTLSCluster starts a cluster that speaks only TLS, also between its nodes.
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
	c.preventFailovers(t, "yes")
	for i, replica := range c.nodes[masters:] {
		replica.mustDo(t, "cluster", "replicate", c.nodes[i%masters].mustDo(t, "cluster", "myid"))
	}
	c.Await(t)
	c.preventFailovers(t, "no")
	return c
}

// preventFailovers keeps replicas from taking the place of silent masters, or ends that. On a busy
// machine, a node can be silent for the node timeout while the cluster is formed.
func (c *Cluster) preventFailovers(t testing.TB, prevent string) {
	t.Helper()
	for _, node := range c.nodes {
		node.mustDo(t, "config", "set", "cluster-replica-no-failover", prevent)
	}
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

// join assigns the slots to the first nodes and introduces all nodes to each other.
func (c *Cluster) join(t testing.TB, masters int) {
	t.Helper()
	for i, node := range c.nodes {
		c.meet(t, node, c.nodes[:i])
		if i < masters {
			node.mustDo(t, "cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
		}
	}
	c.awaitKnown(t)
}

// meet introduces a node to others. The node gets its own epoch, since nodes with equal epochs
// would first have to resolve the conflict.
func (c *Cluster) meet(t testing.TB, node *Server, others []*Server) {
	t.Helper()
	c.ids[node.mustDo(t, "cluster", "myid").(string)] = node
	node.mustDo(t, "cluster", "set-config-epoch", len(c.ids))
	for _, other := range others {
		host, port, _ := strings.Cut(other.Addr(), ":")
		node.mustDo(t, "cluster", "meet", host, port)
	}
}

// awaitKnown waits until every node knows all nodes and slots.
func (c *Cluster) awaitKnown(t testing.TB) {
	t.Helper()
	known := fmt.Sprintf("cluster_known_nodes:%d\r", len(c.nodes))
	assigned := fmt.Sprintf("cluster_slots_assigned:%d\r", slots)
	for _, node := range c.nodes {
		waitFor(t, node.Addr()+" to know all nodes and slots", func(ctx context.Context) error {
			info, err := node.doText(ctx, "cluster", "info")
			return requireParts(err, info, known, assigned)
		})
	}
}

// AddMaster adds a master without slots.
func (c *Cluster) AddMaster(t testing.TB) *Server {
	t.Helper()
	node := launchAll(t, []Options{c.node})[0]
	c.meet(t, node, c.running())
	c.nodes = append(c.nodes, node)
	c.awaitKnown(t)
	c.Await(t)
	return node
}

// URL returns the URLs of all nodes, for the field url.
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

// Nodes returns all nodes: first the initial masters, then their replicas, in the same order.
func (c *Cluster) Nodes() []*Server { return slices.Clone(c.nodes) }

// running returns the nodes that are up and not paused.
func (c *Cluster) running() []*Server {
	return slices.DeleteFunc(c.Nodes(), func(s *Server) bool { return !s.isUp() })
}

// Client returns a client of the cluster that is closed when t ends. It notices changes within 100
// ms. Options can change anything.
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
