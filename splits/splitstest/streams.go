package splitstest

import (
	"context"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Streams is the splits.Streams of a Store.
type Streams struct{ store *Store }

var _ splits.Streams = (*Streams)(nil)

// Streams returns the entries of all splits of the store.
func (s *Store) Streams() *Streams { return &Streams{s} }

// Fetch implements splits.Streams. As with Redis, the end of its context does not interrupt a read
// that waits: it returns when there are entries or the time to wait is over.
func (l *Streams) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fetched, arrival := l.store.read(req)
	if arrival == nil {
		return fetched, nil
	}
	defer l.store.forget(req.Cursors, arrival)
	timeout := time.NewTimer(req.Block)
	defer timeout.Stop()
	for {
		select {
		case <-timeout.C:
			return fetched, nil
		case <-arrival:
			if l.store.readInto(fetched, req) {
				return fetched, nil
			}
		}
	}
}

// Load implements splits.Streams.
func (l *Streams) Load(ctx context.Context, reqs []splits.LoadRequest) ([]splits.Loaded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	all := make([]splits.Loaded, len(reqs))
	for i, req := range reqs {
		if all[i].Err = l.store.broken[req.Split.Key]; all[i].Err != nil {
			continue
		}
		st := l.store.state.streams[req.Split.Key]
		for _, at := range req.Offsets {
			if st == nil {
				break
			}
			if found := st.after(at.Prev(), 1); len(found) > 0 && found[0].Offset == at {
				all[i].Entries = append(all[i].Entries, found[0])
			}
		}
	}
	return all, nil
}

// Peek implements splits.Streams.
func (l *Streams) Peek(ctx context.Context, at []splits.Cursor) ([]splits.Peeked, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fetched, _ := l.store.read(splits.FetchRequest{Cursors: at, Count: 1})
	all := make([]splits.Peeked, len(at))
	for i, one := range fetched {
		if one.Err != nil || len(one.Entries) == 0 {
			all[i].Err = one.Err
			continue
		}
		all[i].Offset = one.Entries[0].Offset
		for _, text := range one.Entries[0].Fields {
			all[i].Size += int64(len(text))
		}
	}
	return all, nil
}

// State implements splits.Streams.
func (l *Streams) State(ctx context.Context, of []splits.Split) ([]splits.State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	states := make([]splits.State, len(of))
	for i, split := range of {
		states[i] = l.store.describe(split)
	}
	return states, nil
}

// read answers a request. If it has to wait, arrival receives a signal when one of its streams gets
// an entry, until forget is called.
func (s *Store) read(req splits.FetchRequest) (fetched []splits.Fetched, arrival chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fetched = make([]splits.Fetched, len(req.Cursors))
	for i, cursor := range req.Cursors {
		if cursor.Inspect {
			described := s.describe(cursor.Split)
			fetched[i].State = &described
		}
	}
	if s.fill(fetched, req) || req.Block <= 0 {
		return fetched, nil
	}
	arrival = make(chan struct{}, 1)
	for _, cursor := range req.Cursors {
		key := cursor.Split.Key
		if s.readers[key] == nil {
			s.readers[key] = map[chan struct{}]struct{}{}
		}
		s.readers[key][arrival] = struct{}{}
	}
	return fetched, arrival
}

func (s *Store) readInto(fetched []splits.Fetched, req splits.FetchRequest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fill(fetched, req)
}

// fill reads what there is now, and reports whether there is anything, including an error. The
// caller holds mu.
func (s *Store) fill(fetched []splits.Fetched, req splits.FetchRequest) bool {
	found := false
	for i, cursor := range req.Cursors {
		if err := s.broken[cursor.Split.Key]; err != nil {
			fetched[i].Err = err
			found = true
		} else if st := s.state.streams[cursor.Split.Key]; st != nil {
			fetched[i].Entries = st.after(cursor.After, req.Count)
			found = found || len(fetched[i].Entries) > 0
		}
	}
	return found
}

func (s *Store) describe(split splits.Split) splits.State {
	if err := s.broken[split.Key]; err != nil {
		return splits.State{Err: err}
	}
	return s.state.streams[split.Key].describe()
}

// forget removes what read registered.
func (s *Store) forget(cursors []splits.Cursor, arrival chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cursor := range cursors {
		delete(s.readers[cursor.Split.Key], arrival)
	}
}
