package redistest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Failover hands the slots of a running master over to one of its replicas, without loss, and waits
// until all nodes agree. It returns the new master; the old one is its replica.
func (c *Cluster) Failover(t testing.TB, master *Server) *Server {
	t.Helper()
	id := master.must(t, "cluster", "myid")
	for _, node := range c.running() {
		for _, m := range c.membersOf(t, node) {
			if m.master == id && c.ids[m.id] == node {
				node.must(t, "cluster", "failover")
				c.awaitRole(t, node)
				return node
			}
		}
	}
	t.Fatalf("node %s has no replica that runs", master.Addr())
	return nil
}

func (c *Cluster) membersOf(t testing.TB, node *Server) []member {
	t.Helper()
	members, err := node.members(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return members
}

// awaitRole waits until the node is a master and all agree.
func (c *Cluster) awaitRole(t testing.TB, node *Server) {
	t.Helper()
	settle(t, node.Addr()+" to become a master", func(ctx context.Context) error {
		info, err := node.text(ctx, "info", "replication")
		return missing(err, info, "role:master")
	})
	c.Await(t)
}

// AwaitPromotion waits until a slot that a dead master served has another master, and all nodes
// that run agree. It returns that master.
func (c *Cluster) AwaitPromotion(t testing.TB, key string) *Server {
	t.Helper()
	node := c.Master(t, key)
	c.awaitRole(t, node)
	return node
}

// MigrateSlot moves a slot with all its keys to another master, while clients use it.
func (c *Cluster) MigrateSlot(t testing.TB, slot int, to *Server) {
	t.Helper()
	m := c.BeginMigration(t, slot, to)
	m.Move(t)
	m.Finish(t)
}

// reshardAtOnce is how many slots a reshard has on the move at a time.
const reshardAtOnce = 50

// Reshard moves slots with all their keys from one master to another while clients use them, some
// dozens at a time, and waits until all nodes agree.
func (c *Cluster) Reshard(t testing.TB, slots []int, from, to *Server) {
	t.Helper()
	source, destination := from.Client(t), to.Client(t)
	fromID, toID := from.must(t, "cluster", "myid"), to.must(t, "cluster", "myid")
	each := func(client *redis.Client, slots []int, command func(slot int) []any) []redis.Cmder {
		t.Helper()
		replies, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
			for _, slot := range slots {
				pipe.Do(t.Context(), append([]any{"cluster"}, command(slot)...)...)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("moving slots from %s to %s: %v", from.Addr(), to.Addr(), err)
		}
		return replies
	}
	for some := range slices.Chunk(slots, reshardAtOnce) {
		each(destination, some, func(slot int) []any { return []any{"setslot", slot, "importing", fromID} })
		each(source, some, func(slot int) []any { return []any{"setslot", slot, "migrating", toID} })
		for i, reply := range each(source, some, func(slot int) []any { return []any{"countkeysinslot", slot} }) {
			if n, _ := reply.(*redis.Cmd).Int(); n > 0 {
				(&Migration{cluster: c, slot: some[i], from: from, to: to}).Move(t)
			}
		}
		each(destination, some, func(slot int) []any { return []any{"setslot", slot, "node", toID} })
		each(source, some, func(slot int) []any { return []any{"setslot", slot, "node", toID} })
	}
	c.awaitOwner(t, slots[len(slots)-1], to)
}

// Migration is a slot on its way from one master to another: keys that are still at the source are
// served there, all others at the destination, to which the source refers clients.
type Migration struct {
	cluster  *Cluster
	slot     int
	from, to *Server
}

// BeginMigration puts a slot on its way. No key has been moved when it returns.
func (c *Cluster) BeginMigration(t testing.TB, slot int, to *Server) *Migration {
	t.Helper()
	m := &Migration{cluster: c, slot: slot, from: c.owner(t, slot), to: to}
	to.must(t, "cluster", "setslot", slot, "importing", m.from.must(t, "cluster", "myid"))
	m.from.must(t, "cluster", "setslot", slot, "migrating", to.must(t, "cluster", "myid"))
	return m
}

// Move moves the named keys, or, without names, all that there are. Keys that are not at the source
// are passed over.
func (m *Migration) Move(t testing.TB, keys ...string) {
	t.Helper()
	if len(keys) > 0 {
		m.move(t, keys)
		return
	}
	for {
		var found []string
		for _, key := range m.from.must(t, "cluster", "getkeysinslot", m.slot, 100).([]any) {
			found = append(found, key.(string))
		}
		if len(found) == 0 {
			return
		}
		m.move(t, found)
	}
}

func (m *Migration) move(t testing.TB, keys []string) {
	t.Helper()
	host, port, _ := strings.Cut(m.to.Addr(), ":")
	command := []any{"migrate", host, port, "", 0, 5000, "keys"}
	for _, key := range keys {
		command = append(command, key)
	}
	if reply := m.from.must(t, command...); reply != "OK" && reply != "NOKEY" {
		t.Fatalf("moving %q to %s: %v", keys, m.to.Addr(), reply)
	}
}

// Finish makes the destination the owner of the slot and waits until all nodes agree.
func (m *Migration) Finish(t testing.TB) {
	t.Helper()
	id := m.to.must(t, "cluster", "myid")
	m.to.must(t, "cluster", "setslot", m.slot, "node", id)
	m.from.must(t, "cluster", "setslot", m.slot, "node", id)
	m.cluster.awaitOwner(t, m.slot, m.to)
}

// awaitOwner waits until a slot is where it should be and all nodes agree about all slots.
func (c *Cluster) awaitOwner(t testing.TB, slot int, to *Server) {
	t.Helper()
	settle(t, fmt.Sprintf("slot %d to be at %s", slot, to.Addr()), func(context.Context) error {
		if owner := c.owner(t, slot); owner != to {
			return fmt.Errorf("it is at %s", owner.Addr())
		}
		return nil
	})
	c.Await(t)
}
