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

// watchEvery is how often the leases are sampled.
const watchEvery = 20 * time.Millisecond

// leaseWatch samples the leases continuously, through the scenario's client and on the server that
// will be promoted, which shows what the failover left.
type leaseWatch struct {
	stop  context.CancelFunc
	ended chan struct{}

	// The goroutine owns these until it has ended.
	current, successor leaseHistory
}

// leaseHistory holds the states of the lease of each partition, changes only.
type leaseHistory [][]leaseState

// leaseState is a state of a lease that was in the store before seenAt.
type leaseState struct {
	lease
	seenAt time.Time
}

// watchLeases starts a leaseWatch. The successor can be nil.
func (s *scenario) watchLeases(t testing.TB, successor *redis.Client) *leaseWatch {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &leaseWatch{
		stop: cancel, ended: make(chan struct{}),
		current: make(leaseHistory, s.Partitions), successor: make(leaseHistory, s.Partitions),
	}
	go func() { // ended by stop
		defer close(w.ended)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			w.current.poll(ctx, s, s.client)
			w.successor.poll(ctx, s, successor)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(w.end)
	return w
}

// end stops the watch. It can be called twice.
func (w *leaseWatch) end() {
	w.stop()
	<-w.ended
}

// poll adds the present states. While servers are down, some are missing.
func (all leaseHistory) poll(ctx context.Context, s *scenario, client redis.Cmdable) {
	ctx, cancel := context.WithTimeout(ctx, 20*watchEvery)
	defer cancel()
	leases, _ := s.readLeases(ctx, client)
	all.add(leases, time.Now())
}

// add adds states that were in the store before now.
func (all leaseHistory) add(leases []lease, now time.Time) {
	for _, l := range leases {
		seen := all[l.partition]
		if l.epoch != "" && (len(seen) == 0 || seen[len(seen)-1].lease != l) {
			all[l.partition] = append(seen, leaseState{l, now})
		}
	}
}

// committed returns the highest offset that a partition is known to have committed before a time.
func (all leaseHistory) committed(partition int, moment time.Time) (highest splits.Offset) {
	for _, seen := range all[partition] {
		if seen.seenAt.Before(moment) && highest.Before(seen.offset) {
			highest = seen.offset
		}
	}
	return highest
}

// forget drops states that were superseded before a time.
func (all leaseHistory) forget(moment time.Time) {
	for i, seen := range all {
		old := slices.IndexFunc(seen, func(s leaseState) bool { return !s.seenAt.Before(moment) })
		if old < 0 {
			old = len(seen)
		}
		if old > 1 {
			all[i] = slices.Clone(seen[old-1:])
		}
	}
}

// owners returns the consumers that held a partition at some time in a period.
func (all leaseHistory) owners(partition int, from, to time.Time) (names []string) {
	for i, seen := range all[partition] {
		superseded := i+1 < len(all[partition]) && all[partition][i+1].seenAt.Before(from)
		if !superseded && !seen.seenAt.After(to) {
			names = append(names, seen.owner)
		}
	}
	return names
}

// claims counts how often a partition was claimed again before a time.
func (all leaseHistory) claims(partition int, moment time.Time) int {
	var epochs []string
	for _, seen := range all[partition] {
		if seen.seenAt.Before(moment) {
			epochs = append(epochs, seen.epoch)
		}
	}
	return max(0, len(slices.Compact(epochs))-1)
}

// requireCauses checks that every message that was read again was not committed in the store as the
// failover left it, or that a reader had to find its position because the stream had gone back. It
// logs the causes. The watch sees claims with a delay, so it does not match claims with single
// messages.
func (w *leaseWatch) requireCauses(t testing.TB, a *deliveries, kept *contents, f failover, recreated counter) {
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
		known := w.current
		if f.hit(r.Partition) && r.read().After(f.killed) {
			known = w.successor
		}
		committed := known.committed(r.Partition, r.read())
		if !committed.Before(r.offset) {
			require.Positive(t, recreated[r.Partition], "read again, although %s was committed: %s", committed, r)
			sought++
			continue
		}
		require.Positive(
			t,
			w.current.claims(r.Partition, time.Now()),
			"read again, although no consumer claimed its partition again: %s",
			r,
		)
		if w.current.committed(r.Partition, f.killed).Before(r.offset) {
			uncommitted++
		} else {
			undone++
		}
	}
	claims := 0
	for i := range w.current {
		claims += w.current.claims(i, time.Now())
	}
	figure(t, "partitions claimed again", "%d times", claims)
	figure(t, "read again: not committed", "%d", uncommitted)
	figure(t, "read again: Redis lost the commit", "%d", undone)
	figure(t, "read again: the stream was rolled back", "%d", sought)
	figure(t, "read again: lost unacknowledged, written again", "%d", rewritten)
}
