//go:build ledger

package ledger

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// checkLosses checks that the running processes count no losses: nothing was lost.
func (c *chaos) checkLosses(t testing.TB) {
	t.Helper()
	count := func(name string, wanted func(*host) bool) (n int64) {
		for _, h := range c.running(wanted) {
			n += scrape(t, h.metrics, name).sum()
		}
		return n
	}
	figure(
		t,
		"appends retried, of these duplicates",
		"%d, %d (of running producers)",
		count("rafka_append_retries_total", has(producing)),
		count("rafka_append_deduplicated_total", has(producing)),
	)
	for name, of := range map[string]func(*host) bool{
		"rafka_append_lost_entries_total": has(producing), "rafka_append_gaps_total": has(producing),
		"rafka_lost_entries_total": reads, "rafka_recreated_total": reads,
	} {
		if n := count(name, of); n > 0 {
			c.audit.addNow("losses reported without a loss", "%s is %d", name, n)
		}
	}
	taken := count("rafka_reclaimed_total", has(sharing))
	figure(t, string(shareGroup)+"entries taken over", "%d (by running members)", taken)
}

// checkPending checks that the share group has acknowledged everything. Its members have ended.
func (c *chaos) checkPending(t testing.TB) {
	t.Helper()
	for i := range c.Partitions {
		pending, err := c.client.XPending(t.Context(), c.partitionKey(i), sharers).Result()
		require.NoError(t, err)
		if pending.Count > 0 {
			c.audit.addNow(string(shareGroup)+"entries pending at the end", "%d of partition %d, from %s to %s: %v",
				pending.Count, i, pending.Lower, pending.Higher, pending.Consumers)
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
	for _, g := range a.groups() {
		c.reportGroup(t, g)
	}
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

// reportGroup logs the figures of a group.
func (c *chaos) reportGroup(t testing.TB, g *groupAudit) {
	t.Helper()
	figure(t, string(g.kind)+"read", "%d, of these repeated: %d", g.read, g.repeated)
	for _, cause := range slices.Sorted(maps.Keys(g.causes)) {
		figure(t, string(g.kind)+"read again: "+cause, "%d", g.causes[cause])
	}
	for _, kind := range slices.Sorted(maps.Keys(g.longest)) {
		s := g.longest[kind]
		figure(t, string(g.kind)+"longest idle time of "+kind, "%s, since %s (%s)",
			s.length().Round(time.Millisecond), clock(s.from), s.of)
		for _, e := range c.history.all(s.from, s.to) {
			t.Logf("    %s", e)
		}
	}
	figure(t, string(g.kind)+"longest undisturbed takeover", "%s of %d (promised: %s)",
		g.longestTakeover().Round(time.Millisecond), len(g.done), takeoverWithin)
}

// promises are the kinds of violations.
var promises = []string{
	"lost",
	"trimmed before they were read",
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
	"share group: lost",
	"share group: trimmed before they were read",
	"share group: read but not in the streams",
	"share group: messages read again although committed",
	"share group: messages read again without a cause",
	"share group: messages read again much later",
	"share group: messages that waited too long",
	"share group: takeovers that took too long",
	"share group: altered messages",
	"share group: lines too late to be checked",
	"share group: entries pending at the end",
}

// countStreams compares the number of entries that were added to the streams with the number that
// the test has seen there.
func (c *chaos) countStreams(t testing.TB) {
	t.Helper()
	for i, counted := range c.entryCounts {
		info, err := c.client.XInfoStream(t.Context(), c.partitionKey(i)).Result()
		require.NoError(t, err)
		if info.EntriesAdded != counted {
			c.audit.addNow("entries that vanished", "%d were added to partition %d, but %d were seen",
				info.EntriesAdded, i, counted)
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
