package simulation

import (
	"slices"
	"sync"

	"github.com/rafka-streams/rafka/splits"
)

// nodes are the servers of a cluster. The topic's own keys are on the first node; partitions are
// spread round-robin.
type nodes struct {
	count int

	mu   sync.Mutex
	down map[string]outage
}

// outage describes how one node is unavailable.
type outage struct {
	// frozen is closed when a frozen node continues; requests wait until then. If it is nil, the
	// node is dead and requests fail immediately.
	frozen chan struct{}
}

func newNodes(count int) *nodes { return &nodes{count: count, down: map[string]outage{}} }

// of returns the node of a partition.
func (n *nodes) of(partition int) string { return string(rune('a' + partition%n.count)) }

// node implements splits.Config.Node.
func (n *nodes) node(s splits.Split) string { return n.of(s.Partition) }

// topic returns the node of the topic's own keys.
func (n *nodes) topic() string { return n.of(0) }

// takeDown starts the outage of a node. It returns false if the node is down already.
func (n *nodes) takeDown(node string, frozen bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, already := n.down[node]; already {
		return false
	}
	o := outage{}
	if frozen {
		o.frozen = make(chan struct{})
	}
	n.down[node] = o
	return true
}

// bringBack ends the outage of a node.
func (n *nodes) bringBack(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if o := n.down[node]; o.frozen != nil {
		close(o.frozen)
	}
	delete(n.down, node)
}

// bringAllBack ends all outages.
func (n *nodes) bringAllBack() {
	for i := range n.count {
		n.bringBack(n.of(i))
	}
}

// reach returns the outage that a request about the given splits meets. A request without splits is
// about the topic.
func (n *nodes) reach(all []splits.Split) (o outage, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.down) == 0 {
		return outage{}, false
	}
	asked := []string{n.topic()}
	if len(all) > 0 {
		asked = asked[:0]
		for _, s := range all {
			asked = append(asked, n.node(s))
		}
	}
	for i := range n.count {
		node := n.of(i)
		if o, down := n.down[node]; down && slices.Contains(asked, node) {
			return o, true
		}
	}
	return outage{}, false
}
