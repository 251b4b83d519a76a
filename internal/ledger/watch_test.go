//go:build ledger

package ledger

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// watchEvery is how often a watch looks.
const watchEvery = 20 * time.Millisecond

// watch looks at the leases all the time: by the scenario's client, and at the server that is going
// to be promoted, which knows best what a failover left.
type watch struct {
	stop  context.CancelFunc
	ended chan struct{}

	// These belong to the goroutine until it has ended.
	ordinary, heir sightings
}

// sightings are what was seen of each partition, changes only.
type sightings [][]sighting

// sighting is a lease that was in the store before a moment.
type sighting struct {
	lease
	before time.Time
}

// watchLeases begins to look. The heir may be nil.
func (s *scenario) watchLeases(t testing.TB, heir *redis.Client) *watch {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{
		stop: cancel, ended: make(chan struct{}),
		ordinary: make(sightings, s.Partitions), heir: make(sightings, s.Partitions),
	}
	go func() { // ended by stop
		defer close(w.ended)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			w.ordinary.look(ctx, s, s.client)
			w.heir.look(ctx, s, heir)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(w.end)
	return w
}

// end stops the watch. It may be called twice.
func (w *watch) end() {
	w.stop()
	<-w.ended
}

// look adds what can be seen now. While servers are away that is less.
func (all sightings) look(ctx context.Context, s *scenario, client redis.Cmdable) {
	ctx, cancel := context.WithTimeout(ctx, 20*watchEvery)
	defer cancel()
	leases, _ := s.readLeases(ctx, client)
	all.note(leases, time.Now())
}

// note adds what was in the store before a moment.
func (all sightings) note(leases []lease, now time.Time) {
	for _, l := range leases {
		seen := all[l.partition]
		if l.epoch != "" && (len(seen) == 0 || seen[len(seen)-1].lease != l) {
			all[l.partition] = append(seen, sighting{l, now})
		}
	}
}

// committed is the highest offset that a partition is known to have had before a moment.
func (all sightings) committed(partition int, moment time.Time) (highest splits.Offset) {
	for _, seen := range all[partition] {
		if seen.before.Before(moment) && highest.Before(seen.offset) {
			highest = seen.offset
		}
	}
	return highest
}

// forget drops what was superseded before a moment.
func (all sightings) forget(moment time.Time) {
	for i, seen := range all {
		old := slices.IndexFunc(seen, func(s sighting) bool { return !s.before.Before(moment) })
		if old < 0 {
			old = len(seen)
		}
		if old > 1 {
			all[i] = slices.Clone(seen[old-1:])
		}
	}
}

// owners are those who held a partition at some time of a stretch.
func (all sightings) owners(partition int, from, to time.Time) (names []string) {
	for i, seen := range all[partition] {
		superseded := i+1 < len(all[partition]) && all[partition][i+1].before.Before(from)
		if !superseded && !seen.before.After(to) {
			names = append(names, seen.owner)
		}
	}
	return names
}

// claims counts how often a partition was claimed before a moment, after it had been claimed once.
func (all sightings) claims(partition int, moment time.Time) int {
	var epochs []string
	for _, seen := range all[partition] {
		if seen.before.Before(moment) {
			epochs = append(epochs, seen.epoch)
		}
	}
	return max(0, len(slices.Compact(epochs))-1)
}

// requireCauses checks that whatever was delivered again had not been committed, in the store as
// the failover left it, or that a reader had to find its place again because the stream had gone
// back; and tells why it came again. A claim is only seen soon after it was made, so the claims are
// not held against single messages.
func (w *watch) requireCauses(t testing.TB, a *account, kept *stock, f failover, recreated counter) {
	t.Helper()
	w.end()
	var rewritten, uncommitted, undone, sought int
	type place struct {
		partition int
		offset    splits.Offset
	}
	seen := map[place]bool{}
	for _, r := range a.records {
		entry := place{r.Partition, r.offset}
		switch again := seen[entry]; {
		case !again && a.first[r.Line] != r.delivery():
			require.True(t, kept.keeps(r), "number %d was written more than twice: %s", r.Line, r)
			rewritten++
			continue
		case !again:
			seen[entry] = true
			continue
		}
		known := w.ordinary
		if f.hit(r.Partition) && r.read().After(f.killed) {
			known = w.heir
		}
		committed := known.committed(r.Partition, r.read())
		if !committed.Before(r.offset) {
			require.Positive(t, recreated[r.Partition], "read again, though %s was committed: %s", committed, r)
			sought++
			continue
		}
		require.Positive(
			t,
			w.ordinary.claims(r.Partition, time.Now()),
			"read again, though nobody claimed its partition again: %s",
			r,
		)
		if w.ordinary.committed(r.Partition, f.killed).Before(r.offset) {
			uncommitted++
		} else {
			undone++
		}
	}
	claims := 0
	for i := range w.ordinary {
		claims += w.ordinary.claims(i, time.Now())
	}
	figure(t, "partitions claimed again", "%d times", claims)
	figure(t, "read again: not committed", "%d", uncommitted)
	figure(t, "read again: the commit was lost by Redis", "%d", undone)
	figure(t, "read again: to find the place in a stream gone back", "%d", sought)
	figure(t, "read again: lost unacknowledged, written anew", "%d", rewritten)
}
