package splitstest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/rafka-streams/rafka/splits"
)

// ShareGroup is the splits.ShareGroup of one share group of one topic in a Store, as one process
// sees it. Use one ShareGroup for each consumer.
type ShareGroup struct {
	group *Group // for Wake

	mu    sync.Mutex
	known int // the most partitions ever seen, 0 if the topic was plain
}

var _ splits.ShareGroup = (*ShareGroup)(nil)

// ShareGroup returns a share group of the topic, for another process.
func (s *Store) ShareGroup(topic, group string) *ShareGroup {
	return &ShareGroup{group: s.Group(topic, group)}
}

// maxDeparted is how many members that ended a group keeps.
const maxDeparted = 64

// Beat implements splits.ShareGroup.
func (g *ShareGroup) Beat(ctx context.Context, b splits.ShareBeat) (splits.ShareView, error) {
	if err := ctx.Err(); err != nil {
		return splits.ShareView{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	view, partitions, err := g.group.store.shareBeat(g.group.key, b, g.known)
	g.known = max(g.known, partitions)
	return view, err
}

func (s *Store) shareBeat(key groupKey, b splits.ShareBeat, known int) (splits.ShareView, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, g := s.now(), s.state.groups[key]
	if g == nil {
		g = &groupRecord{deadlines: map[string]int64{}, owners: map[string]string{}, partitions: -1}
	}
	owner := g.owners[b.Member]
	if g.deadlines[b.Member] > now && b.Owner != "" && splits.Supersedes(owner, b.Owner) {
		return splits.ShareView{}, 0, &splits.SupersededError{Member: b.Member, By: owner}
	}
	if _, listed := g.deadlines[b.Member]; b.Continues && (!listed || owner != b.Owner) {
		return splits.ShareView{}, 0, splits.ErrGone
	}
	s.state.groups[key], s.state.registry[key] = g, true
	partitions, exists := s.state.partitions[key.topic]
	if !exists {
		partitions = max(known, g.partitions, 0)
	}
	if g.partitions < 0 && !b.Rejoin {
		g.initial = s.present(key.topic, partitions, exists)
	}
	changed := g.partitions != partitions
	g.partitions = partitions
	if g.refreshShare(b, now) || changed {
		g.version = s.nextNumber(g.version)
		s.hint(key)
	}
	return g.shareView(key.topic, b.Known, now), partitions, nil
}

// refreshShare extends the membership of the caller, removes the members whose time has passed, and
// reports whether the members changed.
func (g *groupRecord) refreshShare(b splits.ShareBeat, now int64) (changed bool) {
	ttl := b.TTL.Milliseconds()
	g.grantGrace(b.Member, ttl, now)
	g.lastBeat, g.ttl = now, ttl
	for member, deadline := range g.deadlines {
		if deadline <= now && member != b.Member {
			g.depart(member)
			changed = true
		}
	}
	if _, listed := g.deadlines[b.Member]; !listed {
		changed = true
	}
	if before := g.owners[b.Member]; b.Owner != "" && before != b.Owner {
		if before != "" {
			g.noteDeparted(before)
		}
		g.owners[b.Member] = b.Owner
		changed = true
	}
	g.deadlines[b.Member] = now + ttl
	return changed
}

// depart removes a member that left or whose session ended.
func (g *groupRecord) depart(member string) {
	g.noteDeparted(g.holder(member))
	delete(g.deadlines, member)
	delete(g.owners, member)
}

func (g *groupRecord) noteDeparted(name string) {
	g.departed = append(slices.Clone(g.departed), name)
	g.departed = g.departed[max(0, len(g.departed)-maxDeparted):]
}

// holder returns the name at which entries of a member are pending.
func (g *groupRecord) holder(member string) string {
	if owner := g.owners[member]; owner != "" {
		return owner
	}
	return member
}

func (g *groupRecord) shareView(topic string, known uint64, now int64) splits.ShareView {
	view := splits.ShareView{
		Version: g.version,
		Next:    millis(slices.Min(slices.Collect(maps.Values(g.deadlines))) - now),
		Splits:  splitsOf(topic, g.partitions),
		Initial: g.initial,
	}
	if g.version != known {
		for _, member := range g.members() {
			view.Members = append(view.Members, g.holder(member))
		}
		view.Departed = slices.Clone(g.departed)
	}
	return view
}

// Leave implements splits.ShareGroup.
func (g *ShareGroup) Leave(ctx context.Context, member string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := g.group.store
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.state.groups[g.group.key]
	if record == nil {
		return nil
	}
	if _, listed := record.deadlines[member]; listed {
		record.depart(member)
		record.version = s.nextNumber(record.version)
		s.hint(g.group.key)
	}
	return nil
}

// Wake implements splits.ShareGroup.
func (g *ShareGroup) Wake(ctx context.Context, notify func()) error { return g.group.Wake(ctx, notify) }

// DropMembers removes the members of a group, as an eviction of their key does. The group stays.
func (s *Store) DropMembers(topic, group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.state.groups[groupKey{topic, group}]; g != nil {
		g.deadlines, g.owners = map[string]int64{}, map[string]string{}
	}
}
