package splits

import (
	"context"
	"errors"
	"slices"
	"time"
)

// stuckFor is how long an entry that does not arrive is not loaded again.
const stuckFor = time.Minute

// shareLoads is how the entries of one split are loaded after loads have failed: fewer at a time,
// and without the entries that do not arrive even alone. So an entry that is too large for the
// network delays no other entry. The lock of the shareSet guards it.
type shareLoads struct {
	most  int                  // entries of one load; 0: no limit
	stuck map[Offset]time.Time // entries that do not arrive, and until when they are not loaded
}

// next returns the entries of the next load. An entry that was stuck is loaded alone.
func (l *shareLoads) next(loading []Offset, now time.Time) (some []Offset) {
	most := MaxTake
	if l.most > 0 {
		most = min(most, l.most)
	}
	for _, o := range loading {
		until, stuck := l.stuck[o]
		switch {
		case stuck && now.Before(until):
		case stuck && len(some) == 0:
			return []Offset{o}
		case !stuck:
			some = append(some, o)
		}
		if len(some) == most {
			break
		}
	}
	return some
}

// succeeded notes that entries were loaded. It reports whether one of them was stuck.
func (l *shareLoads) succeeded(offsets []Offset) (recovered bool) {
	if l.most *= trialGrowth; l.most >= MaxTake {
		l.most = 0
	}
	for _, o := range offsets {
		if _, stuck := l.stuck[o]; stuck {
			delete(l.stuck, o)
			recovered = true
		}
	}
	return recovered && len(l.stuck) == 0
}

// loadFailed makes the next loads of a split smaller. It reports whether the request can't be
// smaller.
func (set *shareSet) loadFailed(request ShareLoad) (alone bool) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if s := set.splits[request.Split]; s != nil && len(request.Offsets) > 1 {
		s.loads.most = max(1, len(request.Offsets)/trialParts)
	}
	return len(request.Offsets) == 1
}

// stick notes that an entry does not arrive.
func (set *shareSet) stick(split Split, o Offset) {
	set.mu.Lock()
	defer set.mu.Unlock()
	s := set.splits[split]
	if s == nil || s.entries[o] != shareLoading {
		return
	}
	if s.loads.stuck == nil {
		s.loads.stuck = map[Offset]time.Time{}
	}
	s.loads.stuck[o] = set.cfg.Now().Add(stuckFor)
}

// stuck returns how many entries do not arrive, CheckpointLimit at most. The lock is held.
func (set *shareSet) stuck() int {
	n := 0
	for _, s := range set.splits {
		n += len(s.loads.stuck)
	}
	return min(n, set.cfg.CheckpointLimit)
}

// loadFailed handles a load whose answer did not arrive completely. It returns nil if only one
// entry is too large: then the others are loaded.
func (r *shareReader) loadFailed(ctx context.Context, request ShareLoad, cause error) error {
	if !errors.Is(cause, ErrUnfinished) {
		return cause
	}
	r.sizes.requestFailed(len(request.Offsets), r.cfg.Now())
	if !r.set.loadFailed(request) {
		return cause
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Heartbeat)
	defer cancel()
	request.Bytes = 0 // only the size
	described, err := r.cfg.Shares.Load(ctx, request)
	if err != nil || described.Size < largeEntry {
		return cause // an outage, or a connection that broke
	}
	o := request.Offsets[0]
	r.set.stick(request.Split, o)
	r.health.fail(task{taskSplit, request.Split.Key}, &EntryError{
		Split: request.Split, After: o.Prev(), Next: Peeked{Offset: o, Size: described.Size}, Cause: cause,
	})
	return nil
}

// sortedLoading returns the entries to load, in ascending order. The lock is held.
func (s *shareSplit) sortedLoading() []Offset {
	slices.SortFunc(s.loading, Offset.Compare)
	return s.loading
}
