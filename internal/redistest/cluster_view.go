package redistest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Await waits until every running node that isn't paused reports a healthy cluster, all of them
// agree on the masters and their slots, and every replica is in sync.
func (c *Cluster) Await(t testing.TB) {
	t.Helper()
	waitFor(t, "the nodes to agree that the cluster is in order", func(ctx context.Context) error {
		agreed := ""
		for _, node := range c.running() {
			view, err := node.view(ctx)
			if err != nil {
				return err
			}
			if agreed != "" && view != agreed {
				return fmt.Errorf("node %s reports\n%sothers report\n%s", node.Addr(), view, agreed)
			}
			agreed = view
		}
		return nil
	})
}

// view returns how a healthy node sees the cluster: the masters and their slots.
func (s *Server) view(ctx context.Context) (string, error) {
	info, err := s.doText(ctx, "cluster", "info")
	if err = requireParts(err, info, "cluster_state:ok"); err != nil {
		return "", err
	}
	if info, err = s.doText(ctx, "info", "replication"); err != nil {
		return "", err
	}
	if strings.Contains(info, "master_link_status:down") || strings.Count(info, ",state=") > replicas(info) {
		return "", fmt.Errorf("a replica is not in sync: %s reports %s", s.Addr(), info)
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

// members returns the nodes of the cluster as this node knows them.
func (s *Server) members(ctx context.Context) ([]member, error) {
	text, err := s.doText(ctx, "cluster", "nodes")
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
				continue // a migrating slot, which still belongs to its owner
			}
			m.slots = append(m.slots, r)
		}
		all = append(all, m)
	}
	return all, nil
}

// Slot returns the hash slot of a key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	return int(c.running()[0].mustDo(t, "cluster", "keyslot", key).(int64))
}

// Master returns the node that serves a key, according to the other nodes. It waits until that node
// runs; the node can be paused.
func (c *Cluster) Master(t testing.TB, key string) *Server {
	t.Helper()
	return c.owner(t, c.Slot(t, key))
}

// owner returns the running master of a slot.
func (c *Cluster) owner(t testing.TB, slot int) (owner *Server) {
	t.Helper()
	waitFor(t, fmt.Sprintf("slot %d to have a running master", slot), func(ctx context.Context) error {
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
