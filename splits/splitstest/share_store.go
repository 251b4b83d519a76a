package splitstest

import (
	"maps"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// shareMark is what a store keeps of a share group and a stream in a key of its own, which stays if
// the stream is lost.
type shareMark struct {
	generation uint64
	// low is an offset up to which everything was acknowledged, and lowAt when it was stored, in
	// milliseconds.
	low   splits.Offset
	lowAt int64
}

// lowEvery is how often low is stored, in milliseconds.
const lowEvery = 1000

// holder is a name of a topic in a native group: topics whose streams have the same key do not take
// entries from each other.
type holder struct{ topic, name string }

// nativeGroup is a consumer group in a stream. It is lost together with the stream.
type nativeGroup struct {
	last    splits.Offset // the last delivered offset
	pending map[splits.Offset]holder
	// since is when each pending entry was delivered or taken over last, in milliseconds.
	since   map[splits.Offset]int64
	holders map[holder]bool
}

func newNativeGroup(at splits.Offset) *nativeGroup {
	return &nativeGroup{
		last: at, pending: map[splits.Offset]holder{}, since: map[splits.Offset]int64{}, holders: map[holder]bool{},
	}
}

func (g *nativeGroup) clone() *nativeGroup {
	return &nativeGroup{
		last: g.last, pending: maps.Clone(g.pending), since: maps.Clone(g.since), holders: maps.Clone(g.holders),
	}
}

// low returns an offset up to which everything was acknowledged.
func (g *nativeGroup) low() splits.Offset {
	low := g.last
	for o := range g.pending {
		if o.Compare(low) <= 0 {
			low = o.Prev()
		}
	}
	return low
}

// pendingAt returns the offsets that are pending at a name, in ascending order.
func (g *nativeGroup) pendingAt(h holder) (all []splits.Offset) {
	for o, at := range g.pending {
		if at == h {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, splits.Offset.Compare)
	return all
}

// deliver delivers new entries of the stream to a name.
func (s *stream) deliver(group *nativeGroup, to holder, count int, now int64) []splits.Entry {
	entries := s.after(group.last, count)
	group.holders[to] = true
	for _, e := range entries {
		group.pending[e.Offset], group.since[e.Offset] = to, now
		group.last = e.Offset
	}
	return entries
}

// DeliverForeign delivers new entries of a split to a consumer of another program that reads with
// the same group. It returns their offsets.
func (s *Store) DeliverForeign(group string, split splits.Split, consumer string, count int) (all []splits.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	native := s.native(group, split)
	for _, e := range s.state.streams[split.Key].deliver(native, holder{name: consumer}, count, s.now()) {
		all = append(all, e.Offset)
	}
	return all
}

// native returns the group in a stream, nil if there is none.
func (s *Store) native(group string, split splits.Split) *nativeGroup {
	if st := s.state.streams[split.Key]; st != nil {
		return st.groups[group]
	}
	return nil
}

// ShareState is the state of a share group in one split of a Store.
type ShareState struct {
	Generation uint64
	// Low is the offset up to which the store keeps that everything was acknowledged.
	Low splits.Offset
	// Exists is true if the stream has the group; the following fields are set then.
	Exists bool
	// Last is the last delivered offset, Pending the names by the offsets that are pending at them,
	// Holders all names, in ascending order.
	Last    splits.Offset
	Pending map[splits.Offset]string
	Holders []string
}

// Share returns the state of a share group in one split.
func (s *Store) Share(group string, split splits.Split) ShareState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := ShareState{Pending: map[splits.Offset]string{}}
	if mark, ok := s.state.shares[leaseKey{group, split.Key}]; ok {
		state.Generation, state.Low = mark.generation, mark.low
	}
	if g := s.native(group, split); g != nil {
		state.Exists, state.Last = true, g.last
		for o, at := range g.pending {
			state.Pending[o] = at.name
		}
		for h := range g.holders {
			state.Holders = append(state.Holders, h.name)
		}
		slices.Sort(state.Holders)
	}
	return state
}

// SeekShare moves a share group to an offset in one split: what was pending is forgotten, and
// everything behind the offset is delivered again.
func (s *Store) SeekShare(group string, split splits.Split, to splits.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := leaseKey{group, split.Key}
	mark := s.state.shares[key]
	mark.generation, mark.low, mark.lowAt = s.nextNumber(mark.generation), to, s.now()
	s.state.shares[key] = mark
	delete(s.state.failing, key)
	if st := s.state.streams[split.Key]; st != nil {
		st.setGroup(group, newNativeGroup(to))
	}
	s.hint(groupKey{split.Topic, group})
}

// DropShare removes the group from the stream of a split, as XGROUP DESTROY does.
func (s *Store) DropShare(group string, split splits.Split) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.state.streams[split.Key]; st != nil {
		delete(st.groups, group)
	}
}

// DropShareMark removes the generation of a split, the low-water mark, and what is stored to find
// entries that kill, as an eviction of their key does.
func (s *Store) DropShareMark(group string, split splits.Split) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.shares, leaseKey{group, split.Key})
	delete(s.state.poison, leaseKey{group, split.Key})
}

func (s *stream) setGroup(name string, g *nativeGroup) {
	if s.groups == nil {
		s.groups = map[string]*nativeGroup{}
	}
	s.groups[name] = g
}
