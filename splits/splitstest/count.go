package splitstest

import (
	"context"

	"github.com/rafka-streams/rafka/splits"
)

// Count implements splits.Streams.
func (l *Streams) Count(ctx context.Context, req splits.CountRequest) (counted splits.Counted, err error) {
	if err := ctx.Err(); err != nil {
		return counted, err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.store.broken[req.Split.Key]; err != nil {
		return counted, err
	}
	st := l.store.state.streams[req.Split.Key]
	if st == nil {
		return counted, nil
	}
	found := st.after(req.After, req.Most)
	counted.More = len(found) == req.Most
	for _, e := range found {
		if req.UpTo.Before(e.Offset) {
			counted.More = false
			break
		}
		if counted.Entries++; counted.Entries == 1 {
			counted.First = e.Offset
		}
		counted.Last = e.Offset
		counted.Size += e.Size()
	}
	counted.Size /= max(1, counted.Entries)
	counted.More = counted.More && counted.Last.Before(req.UpTo)
	return counted, nil
}
