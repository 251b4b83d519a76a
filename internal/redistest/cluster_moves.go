package redistest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Failover hands the slots of a running master over to a replica, without loss, and waits
// until all nodes agree. It returns the new master; the old one becomes its replica.
func (c *Cluster) Failover(t testing.TB, master *Server) *Server {
	t.Helper()
	id := master.mustDo(t, "cluster", "myid")
	for _, node := range c.running() {
		for _, m := range c.membersOf(t, node) {
			if m.master == id && c.ids[m.id] == node {
				node.mustDo(t, "cluster", "failover")
				c.awaitRole(t, node)
				return node
			}
		}
	}
	t.Fatalf("node %s has no running replica", master.Addr())
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

// awaitRole waits until the node is a master and all nodes agree.
func (c *Cluster) awaitRole(t testing.TB, node *Server) {
	t.Helper()
	waitFor(t, node.Addr()+" to become a master", func(ctx context.Context) error {
		info, err := node.doText(ctx, "info", "replication")
		return requireParts(err, info, "role:master")
	})
	c.Await(t)
}

// AwaitPromotion waits until the slot of a key, whose master has died, has another master, and all
// running nodes agree. It returns the new master.
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

// reshardStep is how many slots a reshard moves at a time.
const reshardStep = 50

// Reshard moves slots with all their keys from one master to another while clients use them,
// reshardStep at a time, and waits until all nodes agree.
func (c *Cluster) Reshard(t testing.TB, slots []int, from, to *Server) {
	t.Helper()
	source, destination := from.Client(t), to.Client(t)
	fromID, toID := from.mustDo(t, "cluster", "myid"), to.mustDo(t, "cluster", "myid")
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
	for some := range slices.Chunk(slots, reshardStep) {
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

// Migration is a slot that moves from one master to another. The source serves the keys that it
// still has; for all others it redirects clients to the destination.
type Migration struct {
	cluster  *Cluster
	slot     int
	from, to *Server
}

// BeginMigration starts the move of a slot. No key has moved when it returns.
func (c *Cluster) BeginMigration(t testing.TB, slot int, to *Server) *Migration {
	t.Helper()
	m := &Migration{cluster: c, slot: slot, from: c.owner(t, slot), to: to}
	to.mustDo(t, "cluster", "setslot", slot, "importing", m.from.mustDo(t, "cluster", "myid"))
	m.from.mustDo(t, "cluster", "setslot", slot, "migrating", to.mustDo(t, "cluster", "myid"))
	return m
}

// Move moves the given keys, or, without arguments, all keys of the slot. It skips keys that are
// not on the source.
func (m *Migration) Move(t testing.TB, keys ...string) {
	t.Helper()
	if len(keys) > 0 {
		m.move(t, keys)
		return
	}
	for {
		var found []string
		for _, key := range m.from.mustDo(t, "cluster", "getkeysinslot", m.slot, 100).([]any) {
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
	if reply := m.from.mustDo(t, command...); reply != "OK" && reply != "NOKEY" {
		t.Fatalf("moving %q to %s: %v", keys, m.to.Addr(), reply)
	}
}

// Finish makes the destination the owner of the slot and waits until all nodes agree.
func (m *Migration) Finish(t testing.TB) {
	t.Helper()
	id := m.to.mustDo(t, "cluster", "myid")
	m.to.mustDo(t, "cluster", "setslot", m.slot, "node", id)
	m.from.mustDo(t, "cluster", "setslot", m.slot, "node", id)
	m.cluster.awaitOwner(t, m.slot, m.to)
}

// awaitOwner waits until a slot has the given owner and all nodes agree about all slots.
func (c *Cluster) awaitOwner(t testing.TB, slot int, to *Server) {
	t.Helper()
	waitFor(t, fmt.Sprintf("slot %d to be on %s", slot, to.Addr()), func(context.Context) error {
		if owner := c.owner(t, slot); owner != to {
			return fmt.Errorf("its owner is %s", owner.Addr())
		}
		return nil
	})
	c.Await(t)
}
