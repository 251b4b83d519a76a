//go:build ledger

package ledger

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// account is all that came out, in the order in which it was read.
type account struct {
	books   []*outBook
	records []record
	first   map[int64]delivery // the first of each line
	again   []record           // all others
}

func newAccount(books []*outBook) *account {
	a := &account{books: books, first: map[int64]delivery{}}
	for _, b := range books {
		a.records = append(a.records, b.records...)
	}
	slices.SortStableFunc(a.records, func(x, y record) int { return cmp.Compare(x.Nanos, y.Nanos) })
	for _, r := range a.records {
		if _, known := a.first[r.Line]; known {
			a.again = append(a.again, r)
			continue
		}
		a.first[r.Line] = r.delivery()
	}
	return a
}

// only is the account of some of the records.
func (a *account) only(wanted func(record) bool) *account {
	books := make([]*outBook, len(a.books))
	for i, b := range a.books {
		books[i] = &outBook{by: b.by}
		for _, r := range b.records {
			if wanted(r) {
				books[i].records = append(books[i].records, r)
			}
		}
	}
	return newAccount(books)
}

// delivery tells the deliveries of one line apart.
type delivery struct {
	nanos int64
	by    string
}

func (r record) delivery() delivery { return delivery{r.Nanos, r.by} }

// requireOrder checks that the lines of each key were first read in ascending order, over all
// consumers, and that each consumer finished what it was the first to read in that order too.
func (a *account) requireOrder(t testing.TB) {
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
	for _, b := range a.books {
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

// requireNothingAgain checks that no line was delivered more than once.
func (a *account) requireNothingAgain(t testing.TB) {
	t.Helper()
	if len(a.again) > 0 {
		require.Fail(
			t,
			"lines were delivered more than once",
			"%d, the first of them: %s; before that read by %s",
			len(a.again),
			a.again[0],
			a.first[a.again[0].Line].by,
		)
	}
}

// since returns what was read from a moment on.
func (a *account) since(moment time.Time) []record {
	i, _ := slices.BinarySearchFunc(
		a.records,
		moment.UnixNano(),
		func(r record, at int64) int { return cmp.Compare(r.Nanos, at) },
	)
	return a.records[i:]
}

// takeover returns the longest time from a moment until one of the partitions was read by somebody
// else than its former owner.
func (a *account) takeover(t testing.TB, moment time.Time, former string, lost []lease) time.Duration {
	t.Helper()
	var longest time.Duration
	for _, l := range lost {
		after := a.since(moment)
		i := slices.IndexFunc(after, func(r record) bool { return r.Partition == l.partition && r.by != former })
		require.GreaterOrEqual(t, i, 0, "nobody took partition %d over", l.partition)
		longest = max(longest, after[i].read().Sub(moment))
	}
	return longest
}

// pause is the time between two consecutive reads of a partition.
type pause struct {
	before, after record
}

func (p pause) length() time.Duration { return p.after.read().Sub(p.before.read()) }

// moved reports whether the partition went to another consumer in between.
func (p pause) moved() bool { return p.before.by != p.after.by }

// pauses returns the longest pause that overlaps with the window of partitions that stayed where
// they were, and of those that moved. Without a list it looks at all partitions.
func (a *account) pauses(from, to time.Time, partitions ...int) (stayed, moved pause) {
	last := map[int]record{}
	for _, r := range a.records {
		before, known := last[r.Partition]
		last[r.Partition] = r
		if !known || r.read().Before(from) || before.read().After(to) ||
			len(partitions) > 0 && !slices.Contains(partitions, r.Partition) {
			continue
		}
		p := pause{before, r}
		if longest := &stayed; !p.moved() && p.length() > longest.length() {
			*longest = p
		}
		if longest := &moved; p.moved() && p.length() > longest.length() {
			*longest = p
		}
	}
	return stayed, moved
}
