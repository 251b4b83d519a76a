//go:build ledger

package ledger

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// unread counts what stands in the streams and has not come out.
func (a *audit) unread() (n int) {
	for _, f := range a.folios {
		n += len(f.stands.without(f.out))
	}
	return n
}

// sum counts something of all producers.
func (a *audit) sum(what func(*folio) int) (n int) {
	for _, f := range a.folios {
		n += what(f)
	}
	return n
}

// losses holds what the processes that run counted against what was done to them: nothing was lost,
// and they may not say so.
func (c *chaos) losses(t testing.TB) {
	t.Helper()
	count := func(name string, wanted func(*seat) bool) (n int64) {
		for _, s := range c.running(wanted) {
			n += scrape(t, s.metrics, name).sum()
		}
		return n
	}
	produces := func(s *seat) bool { return s.produces }
	consumes := func(s *seat) bool { return !s.produces }
	figure(
		t,
		"appends sent again, of these written before",
		"%d, %d (by those that run)",
		count("rafka_append_retries_total", produces),
		count("rafka_append_deduplicated_total", produces),
	)
	for name, of := range map[string]func(*seat) bool{
		"rafka_append_lost_entries_total": produces, "rafka_append_gaps_total": produces,
		"rafka_lost_entries_total": consumes, "rafka_recreated_total": consumes,
	} {
		if n := count(name, of); n > 0 {
			now := time.Now()
			c.audit.blame(
				violation{what: "losses that were none", from: now, to: now, text: fmt.Sprintf("%s is %d", name, n)},
			)
		}
	}
}

// verdict logs the figures and fails the test if a promise was broken.
func (c *chaos) verdict(t testing.TB, seed uint64, topology string) {
	t.Helper()
	a := c.audit
	a.compare()
	c.countStreams(t)
	c.history.figures(t)
	figure(t, "strikes that found no victim", "%d", c.passed)
	figure(t, "processes started", "%d producers, %d consumers", len(c.producers), len(c.consumers))
	figure(t, "acknowledged", "%d", a.sum(func(f *folio) int { return f.acknowledged.len() }))
	figure(
		t,
		"in the streams",
		"%d, of these not acknowledged: %d",
		a.sum(func(f *folio) int { return f.stands.len() }),
		a.sum(func(f *folio) int { return len(f.stands.without(f.acknowledged)) }),
	)
	figure(t, "read", "%d, of these again: %d", a.read, a.again)
	for _, cause := range slices.Sorted(maps.Keys(a.causes)) {
		figure(t, "read again: "+cause, "%d", a.causes[cause])
	}
	c.standstills(t)
	figure(
		t,
		"longest takeover, of those undisturbed",
		"%s of %d (promised: %s)",
		a.longestTakeover().Round(time.Millisecond),
		len(a.done),
		takeoverWithin,
	)
	for _, what := range promises {
		figure(t, what, "%d", a.count[what])
	}
	for _, v := range a.violations {
		t.Logf("%s: %s\nwhat happened about that time:\n%s", v.what, v.text, c.history.around(v.from, v.to))
	}
	for _, name := range c.involved() {
		t.Logf("%s printed:\n%s", name, (&process{log: filepath.Join(c.dir, name+".log")}).output())
	}
	require.Empty(t, a.count, "promises were broken: make chaos SEED=%d TOPOLOGY=%s", seed, topology)
}

// promises are what the audit may find broken.
var promises = []string{
	"lost",
	"acknowledged and not in the streams",
	"read and not in the streams",
	"order violations",
	"keys out of order in the streams",
	"numbers twice in the streams",
	"messages read again though committed",
	"messages read again without a cause",
	"messages read again long after",
	"standstills without a cause",
	"takeovers that took too long",
	"losses that were none",
	"altered entries",
	"altered messages",
	"lines too late to be judged",
	"entries that vanished",
}

// compare holds what was acknowledged, what stands in the streams and what came out against each
// other.
func (a *audit) compare() {
	now := time.Now()
	for i, f := range a.folios {
		for what, missing := range map[string][]int64{
			"lost":                                f.stands.without(f.out),
			"acknowledged and not in the streams": f.acknowledged.without(f.stands),
			"read and not in the streams":         f.out.without(f.stands),
		} {
			for _, n := range missing {
				k := f.key(n)
				a.blame(violation{
					what: what,
					from: now.Add(-hindsight),
					to:   now,
					text: fmt.Sprintf(
						"number %d of %s, key %s, partition %d",
						n,
						producerName(i),
						f.keys[k],
						f.partitions[k],
					),
				})
			}
		}
	}
}

// countStreams holds what was added to the streams against what was seen there.
func (c *chaos) countStreams(t testing.TB) {
	t.Helper()
	now := time.Now()
	for i, counted := range c.counted {
		info, err := c.client.XInfoStream(t.Context(), c.partitionKey(i)).Result()
		require.NoError(t, err)
		if info.EntriesAdded != counted {
			c.audit.blame(violation{
				what: "entries that vanished", from: now, to: now,
				text: fmt.Sprintf("%d were added to partition %d, and %d were seen", info.EntriesAdded, i, counted),
			})
		}
	}
}

// standstills logs the longest, and what went on then.
func (c *chaos) standstills(t testing.TB) {
	t.Helper()
	for _, kind := range []string{"all", "a partition", "a producer"} {
		s := c.audit.longest[kind]
		figure(
			t,
			"longest time in which nothing was read of "+kind,
			"%s, from %s on (%s)",
			s.length().Round(time.Millisecond),
			clock(s.from),
			s.of,
		)
		for _, b := range c.history.all(s.from, s.to) {
			t.Logf("    %s", b)
		}
	}
}

// involved are the processes that the violations name.
func (c *chaos) involved() (names []string) {
	for _, v := range c.audit.violations {
		names = append(names, v.involved...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
