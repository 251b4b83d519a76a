package broker

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// Load implements splits.Streams. It sends one XREAD per entry, in one pipeline: the entries between
// them are not needed, and a reader may run XREAD anyway.
func (l *Log) Load(ctx context.Context, reqs []splits.LoadRequest) ([]splits.Loaded, error) {
	pipe := l.blocking.Pipeline()
	reads := make([][]*redis.Cmd, len(reqs))
	for i, req := range reqs {
		for _, at := range req.Offsets {
			reads[i] = append(reads[i], xread(ctx, pipe, before(req.Split, at), 1, 0))
		}
	}
	exec(ctx, pipe)
	loaded := make([]splits.Loaded, len(reqs))
	for i, req := range reqs {
		for n, at := range req.Offsets {
			fetched, err := fetchedAll(before(req.Split, at), reads[i][n])
			switch {
			case concernsOneKey(err):
				loaded[i].Err = fmt.Errorf("reading %s: %w", req.Split.Key, rediserr.Explain(err))
			case err != nil:
				return nil, fmt.Errorf("reading entries of %s again: %w", req.Split.Key, rediserr.ExplainRead(err))
			case len(fetched[0].Entries) > 0 && fetched[0].Entries[0].Offset == at: // otherwise it was removed
				loaded[i].Entries = append(loaded[i].Entries, fetched[0].Entries[0])
			}
		}
	}
	return loaded, nil
}

// before returns the cursor whose next entry has the offset.
func before(split splits.Split, at splits.Offset) []splits.Cursor {
	return []splits.Cursor{{Split: split, After: at.Prev()}}
}
