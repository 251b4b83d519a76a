package splitstest

import (
	"context"
	"slices"
	"strings"

	"github.com/rafka-streams/rafka/splits"
)

// Shares is the splits.Shares of one share group of one topic in a Store.
type Shares struct {
	store        *Store
	topic, group string
}

var _ splits.Shares = (*Shares)(nil)

// Shares returns the entries of a topic as a share group reads them.
func (s *Store) Shares(topic, group string) *Shares { return &Shares{s, topic, group} }

func (g *Shares) holder(name string) holder { return holder{g.topic, name} }

// each calls do for each split, under the lock of the store, unless the context has ended or the
// split is broken. Then fail receives the error.
func (g *Shares) each(ctx context.Context, all []splits.Split, do func(i int), fail func(i int, err error)) {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	for i, split := range all {
		if err := ctx.Err(); err != nil {
			fail(i, err)
		} else if err := g.store.broken[split.Key]; err != nil {
			fail(i, err)
		} else {
			do(i)
		}
	}
}

// Open implements splits.Shares.
func (g *Shares) Open(ctx context.Context, opens []splits.ShareOpen) []splits.ShareOpened {
	answers := make([]splits.ShareOpened, len(opens))
	of := make([]splits.Split, len(opens))
	for i, open := range opens {
		of[i] = open.Split
	}
	g.each(ctx, of,
		func(i int) { answers[i] = g.open(opens[i]) },
		func(i int, err error) { answers[i].Err = err })
	return answers
}

func (g *Shares) open(open splits.ShareOpen) splits.ShareOpened {
	s, key := g.store, leaseKey{g.group, open.Split.Key}
	mark, marked := s.state.shares[key]
	st := s.state.streams[open.Split.Key]
	switch {
	case st == nil && marked:
		return splits.ShareOpened{Generation: mark.generation}
	case st == nil:
		at, _ := open.Start.At()
		mark.low = at.Prev()
	case st.groups[g.group] != nil && marked:
		return splits.ShareOpened{Exists: true, Generation: mark.generation}
	case st.groups[g.group] != nil:
		mark.low = st.groups[g.group].low()
	}
	answer := splits.ShareOpened{Exists: st != nil}
	if st != nil && st.groups[g.group] == nil {
		at := mark.low
		if !marked {
			position, err := s.resolve(splits.Claim(open))
			if err != nil {
				return splits.ShareOpened{Err: err}
			}
			at = position.Offset
		} else if st.last.Before(at) {
			at, answer.Reset = splits.Offset{}, true
		}
		st.setGroup(g.group, newNativeGroup(at))
		mark.low = at
	}
	mark.generation, mark.lowAt = s.nextNumber(mark.generation), s.now()
	s.state.shares[key] = mark
	answer.Generation = mark.generation
	return answer
}

// Acknowledge implements splits.Shares.
func (g *Shares) Acknowledge(ctx context.Context, acks []splits.ShareAck) []splits.ShareAcked {
	answers := make([]splits.ShareAcked, len(acks))
	of := make([]splits.Split, len(acks))
	for i, ack := range acks {
		of[i] = ack.Split
	}
	g.each(ctx, of,
		func(i int) { answers[i] = g.acknowledge(acks[i]) },
		func(i int, err error) { answers[i].Err = err })
	return answers
}

func (g *Shares) acknowledge(ack splits.ShareAck) splits.ShareAcked {
	s, key := g.store, leaseKey{g.group, ack.Split.Key}
	mark := s.state.shares[key]
	if !g.current(ack.Split, ack.Generation) {
		return splits.ShareAcked{Generation: mark.generation, Err: splits.ErrStale}
	}
	native := s.native(g.group, ack.Split)
	if native == nil {
		return splits.ShareAcked{Kept: s.deleteAcknowledged(g, ack)}
	}
	p := g.poison(ack.Split)
	for _, o := range ack.Offsets {
		delete(native.pending, o)
		delete(p.counted, o)
	}
	kept := s.deleteAcknowledged(g, ack)
	if now := s.now(); now-mark.lowAt >= lowEvery || now < mark.lowAt {
		mark.low, mark.lowAt = native.low(), now
		s.state.shares[key] = mark
	}
	return splits.ShareAcked{Kept: kept}
}

// Pending implements splits.Shares.
func (g *Shares) Pending(ctx context.Context, req splits.SharePending) []splits.ShareHeld {
	answers := make([]splits.ShareHeld, len(req.Splits))
	g.each(ctx, req.Splits, func(i int) {
		native := g.store.native(g.group, req.Splits[i])
		if native == nil {
			answers[i].Err = splits.ErrNoGroup
			return
		}
		all := native.pendingAt(g.holder(req.Member))
		answers[i].Offsets = all[:min(req.Most, len(all))]
		answers[i].Generation = g.generation(req.Splits[i])
	}, func(i int, err error) { answers[i].Err = err })
	return answers
}

func (g *Shares) generation(split splits.Split) uint64 {
	return g.store.state.shares[leaseKey{g.group, split.Key}].generation
}

// current reports whether a split has a generation, and it is this one.
func (g *Shares) current(split splits.Split, generation uint64) bool {
	return generation != 0 && g.generation(split) == generation
}

// Holders implements splits.Shares.
func (g *Shares) Holders(ctx context.Context, of []splits.Split) []splits.ShareHolders {
	answers := make([]splits.ShareHolders, len(of))
	g.each(ctx, of, func(i int) {
		native := g.store.native(g.group, of[i])
		if native == nil {
			answers[i].Err = splits.ErrNoGroup
			return
		}
		answers[i].Lag = int64(len(g.store.state.streams[of[i].Key].after(native.last, 0)))
		for o := range native.pending {
			if oldest := &answers[i].Oldest; *oldest == (splits.Offset{}) || o.Before(*oldest) {
				*oldest = o
			}
		}
		for h := range native.holders {
			if h.topic == g.topic {
				held := splits.ShareHolder{Member: h.name, Pending: len(native.pendingAt(h))}
				answers[i].Holders = append(answers[i].Holders, held)
			}
		}
		slices.SortFunc(answers[i].Holders, func(a, b splits.ShareHolder) int {
			return strings.Compare(a.Member, b.Member)
		})
	}, func(i int, err error) { answers[i].Err = err })
	return answers
}

// Take implements splits.Shares.
func (g *Shares) Take(ctx context.Context, t splits.ShareTake) (taken splits.ShareTaken, err error) {
	g.each(ctx, []splits.Split{t.Split}, func(int) {
		native := g.store.native(g.group, t.Split)
		if native == nil {
			err = splits.ErrNoGroup
			return
		}
		taken = g.take(native, t)
	}, func(_ int, failed error) { err = failed })
	return taken, err
}

func (g *Shares) take(native *nativeGroup, t splits.ShareTake) splits.ShareTaken {
	from := g.holder(t.From)
	all := native.pendingAt(from)
	n := min(t.Most, splits.MaxTake, len(all))
	taken := g.move(native, t.Split, all[:n], g.holder(t.To))
	p := g.poison(t.Split)
	if t.Died {
		p.died(from, taken.Offsets)
	}
	if taken.More = n < len(all); !taken.More {
		delete(native.holders, from)
		delete(p.flights, from)
	}
	return taken
}

// move makes entries pending at a name.
func (g *Shares) move(native *nativeGroup, split splits.Split, all []splits.Offset, to holder) splits.ShareTaken {
	taken := splits.ShareTaken{Generation: g.generation(split)}
	st := g.store.state.streams[split.Key]
	for _, o := range all {
		if !st.has(o) {
			delete(native.pending, o)
			taken.Lost = append(taken.Lost, o)
			continue
		}
		native.pending[o], native.since[o] = to, g.store.now()
		native.holders[to] = true
		taken.Offsets = append(taken.Offsets, o)
	}
	return taken
}

// TakeIdle implements splits.Shares.
func (g *Shares) TakeIdle(ctx context.Context, t splits.ShareTakeIdle) (taken splits.ShareTaken, err error) {
	g.each(ctx, []splits.Split{t.Split}, func(int) {
		native := g.store.native(g.group, t.Split)
		if native == nil {
			err = splits.ErrNoGroup
			return
		}
		var idle []splits.Offset
		for o, at := range native.pending {
			if at.topic == "" && g.store.now()-native.since[o] >= t.Idle.Milliseconds() {
				idle = append(idle, o)
			}
		}
		slices.SortFunc(idle, splits.Offset.Compare)
		n := min(t.Most, splits.MaxTake, len(idle))
		taken = g.move(native, t.Split, idle[:n], g.holder(t.To))
		taken.More = n == min(t.Most, splits.MaxTake)
	}, func(_ int, failed error) { err = failed })
	return taken, err
}

func (s *stream) has(o splits.Offset) bool {
	i := s.search(o)
	return i < len(s.entries) && s.entries[i].Offset == o
}

// Load implements splits.Shares.
func (g *Shares) Load(ctx context.Context, l splits.ShareLoad) (loaded splits.ShareLoaded, err error) {
	g.each(ctx, []splits.Split{l.Split}, func(int) {
		st, bytes := g.store.state.streams[l.Split.Key], 0
		for _, o := range l.Offsets {
			loaded.Looked++
			if st == nil || !st.has(o) {
				continue
			}
			e := st.entries[st.search(o)]
			for _, field := range e.Fields {
				bytes += len(field)
			}
			if loaded.Size = int64(bytes); l.Bytes == 0 {
				return
			}
			loaded.Entries = append(loaded.Entries, e)
			if bytes >= l.Bytes {
				break
			}
		}
		loaded.Failing, loaded.Suspected = g.failingOf(l), g.suspectedOf(l)
	}, func(_ int, failed error) { err = failed })
	return loaded, err
}
