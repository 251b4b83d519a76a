package splitstest

import (
	"context"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Read implements splits.Shares. As with Redis, the end of its context does not interrupt a read
// that waits: it returns when there are entries or the time to wait is over.
func (g *Shares) Read(ctx context.Context, req splits.ShareRead) ([]splits.Delivered, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	arrival := make(chan struct{}, 1)
	delivered, found := g.read(req, arrival)
	if found || req.Block <= 0 {
		return delivered, nil
	}
	cursors := make([]splits.Cursor, len(req.Splits))
	for i, split := range req.Splits {
		cursors[i].Split = split
	}
	defer g.store.forget(cursors, arrival)
	timeout := time.NewTimer(req.Block)
	defer timeout.Stop()
	for {
		select {
		case <-timeout.C:
			return delivered, nil
		case <-arrival:
			if g.fill(delivered, req) {
				return delivered, nil
			}
		}
	}
}

// read answers a request. If it has to wait, arrival receives a signal when one of its streams gets
// an entry.
func (g *Shares) read(req splits.ShareRead, arrival chan struct{}) (delivered []splits.Delivered, found bool) {
	s := g.store
	s.mu.Lock()
	defer s.mu.Unlock()
	delivered = make([]splits.Delivered, len(req.Splits))
	for i, split := range req.Splits {
		delivered[i].Generation = g.generation(split)
	}
	if g.deliver(delivered, req) || req.Block <= 0 {
		return delivered, true
	}
	for _, split := range req.Splits {
		if s.readers[split.Key] == nil {
			s.readers[split.Key] = map[chan struct{}]struct{}{}
		}
		s.readers[split.Key][arrival] = struct{}{}
	}
	return delivered, false
}

func (g *Shares) fill(delivered []splits.Delivered, req splits.ShareRead) bool {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	return g.deliver(delivered, req)
}

// deliver delivers what there is now, and reports whether there is anything, including an error.
// The caller holds mu.
func (g *Shares) deliver(delivered []splits.Delivered, req splits.ShareRead) bool {
	found := false
	for i, split := range req.Splits {
		native := g.store.native(g.group, split)
		switch {
		case g.store.broken[split.Key] != nil:
			delivered[i].Err = g.store.broken[split.Key]
		case native == nil:
			delivered[i].Err = splits.ErrNoGroup
		default:
			to := g.holder(req.Member)
			delivered[i].Entries = g.store.state.streams[split.Key].deliver(native, to, req.Count, g.store.now())
		}
		found = found || delivered[i].Err != nil || len(delivered[i].Entries) > 0
	}
	return found
}
