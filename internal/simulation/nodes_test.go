package simulation

import (
	"slices"
	"sync"

	"github.com/rafka-streams/rafka/splits"
)

// nodes are the servers of a cluster. The topic's own keys are on the first one, partitions are
// dealt to all in turn.
type nodes struct {
	count int

	mu   sync.Mutex
	away map[string]outage
}

// outage is what keeps one node away.
type outage struct {
	// frozen is closed when a node that is frozen thaws: requests wait for that. nil: the node is
	// dead, and requests fail at once.
	frozen chan struct{}
}

func newNodes(count int) *nodes { return &nodes{count: count, away: map[string]outage{}} }

// of is the node of a partition.
func (n *nodes) of(partition int) string { return string(rune('a' + partition%n.count)) }

// node is of for a splits.Config.
func (n *nodes) node(s splits.Split) string { return n.of(s.Partition) }

// topic is the node of the topic's own keys.
func (n *nodes) topic() string { return n.of(0) }

// take takes a node away, unless it is already.
func (n *nodes) take(node string, frozen bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, already := n.away[node]; already {
		return false
	}
	o := outage{}
	if frozen {
		o.frozen = make(chan struct{})
	}
	n.away[node] = o
	return true
}

// bringBack ends the outage of a node.
func (n *nodes) bringBack(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if o := n.away[node]; o.frozen != nil {
		close(o.frozen)
	}
	delete(n.away, node)
}

// bringAllBack ends all outages.
func (n *nodes) bringAllBack() {
	for i := range n.count {
		n.bringBack(n.of(i))
	}
}

// reach returns what a request about these splits meets; without any it is about the topic.
func (n *nodes) reach(all []splits.Split) (o outage, away bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.away) == 0 {
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
		if o, away := n.away[node]; away && slices.Contains(asked, node) {
			return o, true
		}
	}
	return outage{}, false
}
