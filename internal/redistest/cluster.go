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
	// nodeTimeout is the number of ms after which a cluster takes a node that does not answer for dead.
	nodeTimeout = "1000"
)

// Cluster is a Redis Cluster of real servers that belongs to one test. Each of its nodes can be killed, paused and restarted like any
// Server.
type Cluster struct {
	nodes []*Server
	ids   map[string]*Server
}

// StartCluster starts a cluster whose masters share the slots evenly, each with so many replicas. Every node serves all slots and every
// replica is in sync when it returns. A node that does not answer is taken for dead after a second. args are added to every node's command
// line, such as "--cluster-require-full-coverage", "no".
func StartCluster(t testing.TB, masters, replicas int, args ...string) *Cluster {
	t.Helper()
	o := Options{Args: append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", nodeTimeout, "--cluster-replica-validity-factor", "0",
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}, args...)}
	c := &Cluster{nodes: launchAll(t, slices.Repeat([]Options{o}, masters*(1+replicas))), ids: map[string]*Server{}}
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

// join gives the first nodes the slots and makes all nodes know each other. Every node has an epoch of its own from the beginning, since
// nodes that share one would have to settle that first.
func (c *Cluster) join(t testing.TB, masters int) {
	t.Helper()
	for i, node := range c.nodes {
		c.ids[node.must(t, "cluster", "myid").(string)] = node
		node.must(t, "cluster", "set-config-epoch", i+1)
		if i < masters {
			node.must(t, "cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
		}
		for _, other := range c.nodes[:i] {
			host, port, _ := strings.Cut(other.Addr(), ":")
			node.must(t, "cluster", "meet", host, port)
		}
	}
	known := fmt.Sprintf("cluster_known_nodes:%d\r", len(c.nodes))
	assigned := fmt.Sprintf("cluster_slots_assigned:%d\r", slots)
	for _, node := range c.nodes {
		settle(t, node.Addr()+" to know all nodes and slots", func(ctx context.Context) error {
			info, err := node.text(ctx, "cluster", "info")
			return missing(err, info, known, assigned)
		})
	}
}

// Await waits until every node that runs and isn't paused says that the cluster is in order, all agree on who is master of what, and every replica of
// those is in sync.
func (c *Cluster) Await(t testing.TB) {
	t.Helper()
	settle(t, "the nodes to agree that the cluster is in order", func(ctx context.Context) error {
		agreed := ""
		for _, node := range c.running() {
			view, err := node.view(ctx)
			if err != nil {
				return err
			}
			if agreed != "" && view != agreed {
				return fmt.Errorf("node %s sees\n%sothers see\n%s", node.Addr(), view, agreed)
			}
			agreed = view
		}
		return nil
	})
}

// view is how a node that is in order sees the cluster: who is master of what.
func (s *Server) view(ctx context.Context) (string, error) {
	info, err := s.text(ctx, "cluster", "info")
	if err = missing(err, info, "cluster_state:ok"); err != nil {
		return "", err
	}
	if info, err = s.text(ctx, "info", "replication"); err != nil {
		return "", err
	}
	if strings.Contains(info, "master_link_status:down") || strings.Count(info, ",state=") > replicas(info) {
		return "", fmt.Errorf("a replica is not in sync: %s says %s", s.Addr(), info)
	}
	members, err := s.members(ctx)
	if err != nil {
		return "", err
	}
	lines := make([]string, len(members))
	for i, m := range members {
		lines[i] = fmt.Sprintln(m.id, m.flags, m.master, m.slots)
	}
	slices.Sort(lines)
	return strings.Join(lines, ""), nil
}

// member is one line of CLUSTER NODES.
type member struct {
	id, flags, master string
	slots             [][2]int
}

// members lists the nodes of the cluster as this one knows them.
func (s *Server) members(ctx context.Context) ([]member, error) {
	text, err := s.text(ctx, "cluster", "nodes")
	if err != nil {
		return nil, err
	}
	var all []member
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		m := member{id: f[0], flags: strings.TrimPrefix(f[2], "myself,"), master: f[3]}
		for _, text := range f[8:] {
			var r [2]int
			if n, _ := fmt.Sscanf(text, "%d-%d", &r[0], &r[1]); n == 1 {
				r[1] = r[0]
			} else if n == 0 {
				continue // a slot on the move, which is still its owner's
			}
			m.slots = append(m.slots, r)
		}
		all = append(all, m)
	}
	return all, nil
}

// URL lists all nodes, as the field url takes them.
func (c *Cluster) URL() string { return urlOf(c.nodes) }

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

// Client returns a client of the cluster that is closed when t ends. It learns of changes within 100 ms; options change that and anything
// else.
func (c *Cluster) Client(t testing.TB, options ...func(*redis.ClusterOptions)) *redis.ClusterClient {
	t.Helper()
	o := &redis.ClusterOptions{ContextTimeoutEnabled: true, ClusterStateReloadInterval: 100 * time.Millisecond, DialerRetries: 1}
	for _, node := range c.nodes {
		o.Addrs = append(o.Addrs, node.Addr())
	}
	for _, change := range options {
		change(o)
	}
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() }) // the test may have closed it
	return client
}

// Slot is the hash slot of a key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	return int(c.running()[0].must(t, "cluster", "keyslot", key).(int64))
}

// Master is the node that serves a key, as the other nodes see it. It waits until there is one that runs; it may be paused.
func (c *Cluster) Master(t testing.TB, key string) *Server {
	t.Helper()
	return c.owner(t, c.Slot(t, key))
}

// owner is the running master of a slot.
func (c *Cluster) owner(t testing.TB, slot int) (owner *Server) {
	t.Helper()
	settle(t, fmt.Sprintf("slot %d to have a master that runs", slot), func(ctx context.Context) error {
		members, err := c.running()[0].members(ctx)
		for _, m := range members {
			holds := slices.ContainsFunc(m.slots, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] })
			if owner = c.ids[m.id]; holds && owner.PID() != 0 {
				return nil
			}
		}
		return cmp.Or(err, fmt.Errorf("the nodes are %v", members))
	})
	return owner
}
