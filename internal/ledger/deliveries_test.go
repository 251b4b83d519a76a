//go:build ledger

package ledger

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// deliveries holds everything that was read, in the order of the reads.
type deliveries struct {
	ledgers  []*consumerLedger
	records  []record
	first    map[int64]delivery // the first read of each line
	repeated []record           // all other reads
}

func mergeLedgers(ledgers []*consumerLedger) *deliveries {
	a := &deliveries{ledgers: ledgers, first: map[int64]delivery{}}
	for _, b := range ledgers {
		a.records = append(a.records, b.records...)
	}
	slices.SortStableFunc(a.records, func(x, y record) int { return cmp.Compare(x.Nanos, y.Nanos) })
	for _, r := range a.records {
		if _, known := a.first[r.Line]; known {
			a.repeated = append(a.repeated, r)
			continue
		}
		a.first[r.Line] = r.delivery()
	}
	return a
}

// only returns the deliveries that satisfy a condition.
func (a *deliveries) only(wanted func(record) bool) *deliveries {
	books := make([]*consumerLedger, len(a.ledgers))
	for i, b := range a.ledgers {
		books[i] = &consumerLedger{by: b.by}
		for _, r := range b.records {
			if wanted(r) {
				books[i].records = append(books[i].records, r)
			}
		}
	}
	return mergeLedgers(books)
}

// delivery identifies one of several deliveries of a line.
type delivery struct {
	nanos int64
	by    string
}

func (r record) delivery() delivery { return delivery{r.Nanos, r.by} }

// requireOrder checks that the lines of each key were first read in ascending order, over all
// consumers, and that each consumer finished its first reads in that order, too.
func (a *deliveries) requireOrder(t testing.TB) {
	t.Helper()
	newest := map[string]record{}
	for _, r := range a.records {
		if a.first[r.Line] != r.delivery() {
			continue
		}
		last, known := newest[r.Key]
		require.False(t, known && r.Line < last.Line, "key %s was read out of order:\n%s\nthen\n%s", r.Key, last, r)
		newest[r.Key] = r
	}
	for _, b := range a.ledgers {
		clear(newest)
		for _, r := range b.records {
			if a.first[r.Line] != r.delivery() {
				continue
			}
			last, known := newest[r.Key]
			require.False(
				t,
				known && r.Line < last.Line,
				"key %s was finished out of order:\n%s\nthen\n%s",
				r.Key,
				last,
				r,
			)
			newest[r.Key] = r
		}
	}
}

// requireNoRepeats checks that no line was delivered more than once.
func (a *deliveries) requireNoRepeats(t testing.TB) {
	t.Helper()
	if len(a.repeated) > 0 {
		require.Fail(
			t,
			"lines were delivered more than once",
			"%d, the first: %s; read by %s before",
			len(a.repeated),
			a.repeated[0],
			a.first[a.repeated[0].Line].by,
		)
	}
}

// since returns what was read at or after a time.
func (a *deliveries) since(moment time.Time) []record {
	i, _ := slices.BinarySearchFunc(
		a.records,
		moment.UnixNano(),
		func(r record, at int64) int { return cmp.Compare(r.Nanos, at) },
	)
	return a.records[i:]
}

// takeover returns the longest time until each of the partitions was read by another consumer than
// its former owner.
func (a *deliveries) takeover(t testing.TB, moment time.Time, former string, lost []lease) time.Duration {
	t.Helper()
	var longest time.Duration
	for _, l := range lost {
		after := a.since(moment)
		i := slices.IndexFunc(after, func(r record) bool { return r.Partition == l.partition && r.by != former })
		require.GreaterOrEqual(t, i, 0, "no consumer took over partition %d", l.partition)
		longest = max(longest, after[i].read().Sub(moment))
	}
	return longest
}

// readGap is the time between two consecutive reads of a partition.
type readGap struct {
	before, after record
}

func (p readGap) length() time.Duration { return p.after.read().Sub(p.before.read()) }

// moved reports whether the partition moved to another consumer in between.
func (p readGap) moved() bool { return p.before.by != p.after.by }

// readGaps returns the longest gap that overlaps with the period, of partitions that stayed with
// their consumer and of partitions that moved. Without a list it considers all partitions.
func (a *deliveries) readGaps(from, to time.Time, partitions ...int) (stayed, moved readGap) {
	last := map[int]record{}
	for _, r := range a.records {
		before, known := last[r.Partition]
		last[r.Partition] = r
		if !known || r.read().Before(from) || before.read().After(to) ||
			len(partitions) > 0 && !slices.Contains(partitions, r.Partition) {
			continue
		}
		p := readGap{before, r}
		if longest := &stayed; !p.moved() && p.length() > longest.length() {
			*longest = p
		}
		if longest := &moved; p.moved() && p.length() > longest.length() {
			*longest = p
		}
	}
	return stayed, moved
}
