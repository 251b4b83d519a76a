package splitstest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Group is the splits.Group of one group of one topic in a Store, as one process sees it: like the
// implementation on Redis it remembers how many partitions it has seen. Use one Group for each
// consumer.
type Group struct {
	store *Store
	key   groupKey

	mu    sync.Mutex
	known int // the most partitions ever seen, 0 if the topic was plain
}

var _ splits.Group = (*Group)(nil)

// Group returns a group of the topic, for another process.
func (s *Store) Group(topic, group string) *Group {
	return &Group{store: s, key: groupKey{topic, group}}
}

// groupRecord is what is stored of one group.
type groupRecord struct {
	version, planned uint64
	plan             map[string][]int
	partitions       int               // 0 while the topic is plain
	initial          int               // partitions when the group was created, 0 if it is to read all entries
	lastBeat, ttl    int64             // of the last beat, in milliseconds
	deadlines        map[string]int64  // of the members, in milliseconds
	owners           map[string]string // incarnations of static members
	departed         []string          // names of members of a share group that ended, the latest last
}

func (g *groupRecord) clone() *groupRecord {
	c := *g
	c.plan = clonePlan(g.plan)
	c.deadlines = maps.Clone(g.deadlines)
	c.owners = maps.Clone(g.owners)
	c.departed = slices.Clone(g.departed)
	return &c
}

func clonePlan(plan map[string][]int) map[string][]int {
	c := make(map[string][]int, len(plan))
	for member, partitions := range plan {
		c[member] = slices.Clone(partitions)
	}
	return c
}

// Members returns the members of a group in ascending order, including expired members that no beat
// has removed yet.
func (s *Store) Members(topic, group string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.state.groups[groupKey{topic, group}]; g != nil {
		return g.members()
	}
	return nil
}

// Plan returns the plan of a group; its version is 0 if there is none.
func (s *Store) Plan(topic, group string) splits.Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.state.groups[groupKey{topic, group}]; g != nil && g.planned != 0 {
		return splits.Plan{Version: g.planned, Assignments: clonePlan(g.plan)}
	}
	return splits.Plan{}
}

// Version returns the version of a group, 0 if the group does not exist.
func (s *Store) Version(topic, group string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.state.groups[groupKey{topic, group}]; g != nil {
		return g.version
	}
	return 0
}

// Beat implements splits.Group.
func (g *Group) Beat(ctx context.Context, b splits.Beat) (splits.View, error) {
	if err := ctx.Err(); err != nil {
		return splits.View{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	view, partitions, err := g.store.beat(g.key, b, g.known)
	g.known = max(g.known, partitions)
	return view, err
}

func (s *Store) beat(key groupKey, b splits.Beat, known int) (view splits.View, partitions int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, g := s.now(), s.state.groups[key]
	if g == nil {
		g = &groupRecord{deadlines: map[string]int64{}, owners: map[string]string{}, partitions: -1}
		s.state.groups[key] = g
	}
	if owner := g.owners[b.Member]; g.deadlines[b.Member] > now && b.Owner != "" && splits.Supersedes(owner, b.Owner) {
		return splits.View{}, 0, &splits.SupersededError{Member: b.Member, By: owner}
	}
	s.state.registry[key] = true
	partitions, exists := s.state.partitions[key.topic]
	// The group was lost, or the topic is plain. A topic that was partitioned is never taken for
	// plain.
	if !exists {
		partitions = max(known, g.partitions, 0)
	}
	if created := g.partitions < 0; created && !b.Rejoin {
		g.initial = s.present(key.topic, partitions, exists)
	}
	regrown := g.partitions != partitions
	g.partitions = partitions
	if g.refresh(b.Member, b.TTL.Milliseconds(), now) || regrown {
		g.version = s.nextNumber(g.version)
		s.hint(key)
	}
	if g.enter(b) {
		s.hint(key)
	}
	return g.view(key.topic, b.Planned, now), partitions, nil
}

// enter stores the incarnation of a static member, and reports whether it replaces another one.
func (g *groupRecord) enter(b splits.Beat) (supersedes bool) {
	if b.Owner == "" {
		return false
	}
	before := g.owners[b.Member]
	g.owners[b.Member] = b.Owner
	return before != "" && before != b.Owner
}

// present returns how many splits of the topic exist for a new group. A plain topic without entries
// does not exist, and a topic without its metadata may have been lost.
func (s *Store) present(topic string, partitions int, exists bool) int {
	switch {
	case exists:
		return partitions
	case partitions == 0 && s.state.streams[topic] != nil:
		return 1
	}
	return 0
}

// refresh extends the membership of the caller, removes the members whose time has passed, and
// reports whether the members changed.
func (g *groupRecord) refresh(caller string, ttl, now int64) bool {
	g.grantGrace(caller, ttl, now)
	g.lastBeat = now
	count := len(g.deadlines)
	maps.DeleteFunc(g.deadlines, func(_ string, deadline int64) bool { return deadline <= now })
	maps.DeleteFunc(g.owners, func(member, _ string) bool { _, listed := g.deadlines[member]; return !listed })
	changed := len(g.deadlines) != count
	if _, listed := g.deadlines[caller]; !listed {
		changed = true
	}
	g.deadlines[caller] = now + ttl
	return changed
}

// grantGrace extends all memberships by a ttl if no member could beat for a ttl: then the store was
// unavailable. The caller must be a member: a new process must see that all earlier members are
// dead. A clock that was set back must not keep dead members alive for longer than a ttl.
func (g *groupRecord) grantGrace(caller string, ttl, now int64) {
	_, listed := g.deadlines[caller]
	steppedBack := g.lastBeat > now
	outage := listed && now-g.lastBeat > ttl
	for member, deadline := range g.deadlines {
		if outage || steppedBack && deadline > now+ttl {
			g.deadlines[member] = now + ttl
		}
	}
}

func (g *groupRecord) members() []string { return slices.Sorted(maps.Keys(g.deadlines)) }

func (g *groupRecord) view(topic string, knownPlan uint64, now int64) splits.View {
	view := splits.View{
		Version: g.version,
		Planned: g.planned,
		Next:    millis(slices.Min(slices.Collect(maps.Values(g.deadlines))) - now),
		Splits:  splitsOf(topic, g.partitions),
		Initial: g.initial,
	}
	if g.version != g.planned {
		view.Members = g.members()
	}
	if g.planned != 0 && g.planned != knownPlan {
		view.Plan = &splits.Plan{Version: g.planned, Assignments: clonePlan(g.plan)}
	}
	return view
}

// Propose implements splits.Group.
func (g *Group) Propose(ctx context.Context, plan splits.Plan) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s := g.store
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.state.groups[g.key]
	if record == nil || record.version != plan.Version {
		return false, nil
	}
	if record.planned == plan.Version {
		return maps.EqualFunc(record.plan, plan.Assignments, slices.Equal[[]int]), nil
	}
	record.planned, record.plan = plan.Version, clonePlan(plan.Assignments)
	s.hint(g.key)
	return true, nil
}

// Leave implements splits.Group.
func (g *Group) Leave(ctx context.Context, member string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := g.store
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.state.groups[g.key]
	if record == nil {
		return nil
	}
	if _, listed := record.deadlines[member]; listed {
		delete(record.deadlines, member)
		delete(record.owners, member)
		record.version = s.nextNumber(record.version)
		s.hint(g.key)
	}
	return nil
}

// Wake implements splits.Group. It calls notify once when it has subscribed, since earlier hints
// were not received. Hints that come while notify runs are merged into one.
func (g *Group) Wake(ctx context.Context, notify func()) error {
	hints := make(chan struct{}, 1)
	g.store.subscribe(g.key, hints)
	defer g.store.unsubscribe(g.key, hints)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hints:
			notify()
		}
	}
}

func (s *Store) subscribe(key groupKey, hints chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hints[key] == nil {
		s.hints[key] = map[chan struct{}]struct{}{}
	}
	s.hints[key][hints] = struct{}{}
	notify(hints)
}

func (s *Store) unsubscribe(key groupKey, hints chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hints[key], hints)
}

// hint notifies the subscribers that the group has changed. The caller holds mu.
func (s *Store) hint(key groupKey) {
	for hints := range s.hints[key] {
		notify(hints)
	}
}

// millis returns the duration of n milliseconds.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
