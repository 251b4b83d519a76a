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

// unread counts the entries of the streams that no consumer has finished.
func (a *audit) unread() (n int) {
	for _, s := range a.producers {
		n += len(s.inStream.without(s.read))
	}
	return n
}

// sum returns the sum over all producers.
func (a *audit) sum(what func(*producerState) int) (n int) {
	for _, s := range a.producers {
		n += what(s)
	}
	return n
}

// checkLosses checks that the running processes count no losses: nothing was lost.
func (c *chaos) checkLosses(t testing.TB) {
	t.Helper()
	count := func(name string, wanted func(*host) bool) (n int64) {
		for _, h := range c.running(wanted) {
			n += scrape(t, h.metrics, name).sum()
		}
		return n
	}
	produces := func(h *host) bool { return h.produces }
	consumes := func(h *host) bool { return !h.produces }
	figure(
		t,
		"appends retried, of these duplicates",
		"%d, %d (of running producers)",
		count("rafka_append_retries_total", produces),
		count("rafka_append_deduplicated_total", produces),
	)
	for name, of := range map[string]func(*host) bool{
		"rafka_append_lost_entries_total": produces, "rafka_append_gaps_total": produces,
		"rafka_lost_entries_total": consumes, "rafka_recreated_total": consumes,
	} {
		if n := count(name, of); n > 0 {
			now := time.Now()
			c.audit.addViolation(
				violation{
					what: "losses reported without a loss",
					from: now,
					to:   now,
					text: fmt.Sprintf("%s is %d", name, n),
				},
			)
		}
	}
}

// report logs the figures and fails the test if there were violations.
func (c *chaos) report(t testing.TB, seed uint64, topology string) {
	t.Helper()
	a := c.audit
	a.compareNumbers()
	c.countStreams(t)
	c.history.figures(t)
	figure(t, "faults without a target", "%d", c.skipped)
	figure(t, "processes started", "%d producers, %d consumers", len(c.producers), len(c.consumers))
	figure(t, "acknowledged", "%d", a.sum(func(s *producerState) int { return s.acknowledged.len() }))
	figure(
		t,
		"in the streams",
		"%d, of these not acknowledged: %d",
		a.sum(func(s *producerState) int { return s.inStream.len() }),
		a.sum(func(s *producerState) int { return len(s.inStream.without(s.acknowledged)) }),
	)
	figure(t, "read", "%d, of these repeated: %d", a.read, a.repeated)
	for _, cause := range slices.Sorted(maps.Keys(a.causes)) {
		figure(t, "read again: "+cause, "%d", a.causes[cause])
	}
	c.standstills(t)
	figure(
		t,
		"longest undisturbed takeover",
		"%s of %d (promised: %s)",
		a.longestTakeover().Round(time.Millisecond),
		len(a.done),
		takeoverWithin,
	)
	for _, what := range promises {
		figure(t, what, "%d", a.count[what])
	}
	for _, v := range a.violations {
		t.Logf("%s: %s\nevents around that time:\n%s", v.what, v.text, c.history.around(v.from, v.to))
	}
	for _, name := range c.involved() {
		t.Logf("%s printed:\n%s", name, (&process{log: filepath.Join(c.dir, name+".log")}).output())
	}
	require.Empty(t, a.count, "violations; reproduce with: make chaos SEED=%d TOPOLOGY=%s", seed, topology)
}

// promises are the kinds of violations.
var promises = []string{
	"lost",
	"acknowledged but not in the streams",
	"read but not in the streams",
	"keys read out of order",
	"keys written out of order",
	"numbers written twice",
	"messages read again although committed",
	"messages read again without a cause",
	"messages read again much later",
	"idle periods without a cause",
	"takeovers that took too long",
	"losses reported without a loss",
	"altered entries",
	"altered messages",
	"lines too late to be checked",
	"entries that vanished",
}

// compareNumbers compares the numbers acknowledged, in the streams, and read.
func (a *audit) compareNumbers() {
	now := time.Now()
	for i, s := range a.producers {
		for what, missing := range map[string][]int64{
			"lost":                                s.inStream.without(s.read),
			"acknowledged but not in the streams": s.acknowledged.without(s.inStream),
			"read but not in the streams":         s.read.without(s.inStream),
		} {
			for _, n := range missing {
				k := s.key(n)
				a.addViolation(violation{
					what: what,
					from: now.Add(-checkDelay),
					to:   now,
					text: fmt.Sprintf(
						"number %d of %s, key %s, partition %d",
						n,
						producerName(i),
						s.keys[k],
						s.partitions[k],
					),
				})
			}
		}
	}
}

// countStreams compares the number of entries that were added to the streams with the number that
// the test has seen there.
func (c *chaos) countStreams(t testing.TB) {
	t.Helper()
	now := time.Now()
	for i, counted := range c.entryCounts {
		info, err := c.client.XInfoStream(t.Context(), c.partitionKey(i)).Result()
		require.NoError(t, err)
		if info.EntriesAdded != counted {
			c.audit.addViolation(violation{
				what: "entries that vanished", from: now, to: now,
				text: fmt.Sprintf("%d were added to partition %d, but %d were seen", info.EntriesAdded, i, counted),
			})
		}
	}
}

// standstills logs the longest idle periods, with the faults in each.
func (c *chaos) standstills(t testing.TB) {
	t.Helper()
	for _, kind := range []string{"all", "a partition", "a producer"} {
		s := c.audit.longest[kind]
		figure(
			t,
			"longest idle time of "+kind,
			"%s, since %s (%s)",
			s.length().Round(time.Millisecond),
			clock(s.from),
			s.of,
		)
		for _, e := range c.history.all(s.from, s.to) {
			t.Logf("    %s", e)
		}
	}
}

// involved returns the processes that the violations name.
func (c *chaos) involved() (names []string) {
	for _, v := range c.audit.violations {
		names = append(names, v.involved...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
