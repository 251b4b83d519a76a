package splits_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// behind joins a member whose reads go through a link.
func (w *world) behind(link splitstest.Link, change ...func(*splits.Config, *member)) *member {
	return w.join("a", append(change, func(_ *splits.Config, m *member) { m.faults.SetLink(link) })...)
}

// await lets time pass until the member has received n entries, and returns how long it took.
func (m *member) await(n int, atMost time.Duration) time.Duration {
	m.w.t.Helper()
	began := time.Now()
	for m.count() < n && time.Since(began) < atMost {
		settle(50 * time.Millisecond)
	}
	require.Equal(m.w.t, n, m.count(), "within %s", atMost)
	return time.Since(began)
}

// allCauses returns all errors that were passed to Unavailable.
func (m *member) allCauses() []error { return see(m, func() []error { return slices.Clone(m.causes) }) }

const megabyte = 1 << 20

// A regression: a read that did not arrive in time was repeated in the same size without end.
func TestReadsAskForLessAfterAnUnfinishedOne(t *testing.T) {
	slow := splitstest.Link{Rate: 2.5e6, Timeout: 6 * time.Second}
	limited, tiny := splitstest.Link{MaxBytes: megabyte}, splitstest.Link{MaxBytes: 2000}
	for name, c := range map[string]struct {
		link         splitstest.Link
		splits, each int
		size         int
		most         time.Duration
		fails        int // at most
		first, mixed int // entries of 100 bytes before those, and after each
	}{
		"slow, 1 MB":      {link: slow, splits: 16, each: 4, size: 1e6, most: 30720 * time.Millisecond},
		"slow, 4 MB":      {link: slow, splits: 16, each: 2, size: 4e6, most: 61440 * time.Millisecond, fails: 1},
		"slow, 10 MB":     {link: slow, splits: 4, each: 2, size: 10e6, most: 38400 * time.Millisecond, fails: 1},
		"slow, 64 splits": {link: slow, splits: 64, each: 2, size: 5e5, most: 30720 * time.Millisecond},
		"slow, one split": {link: slow, splits: 1, each: 40, size: 1e6, most: 19200 * time.Millisecond},
		"slow, then large": {
			link: slow, splits: 16, each: 4, size: 1e6, first: 300, most: 60 * time.Second, fails: 4,
		},
		"slow, among small": {
			link: slow, splits: 16, each: 4, size: 2e6, mixed: 50, most: 150 * time.Second, fails: 10,
		},
		"limited, 100 KB": {link: limited, splits: 16, each: 10, size: 1e5, most: 5 * time.Second, fails: 4},
		"limited, 1 MB":   {link: limited, splits: 16, each: 10, size: 1e6, most: 5 * time.Second, fails: 4},
		"limited, small":  {link: limited, splits: 16, each: 20_000, size: 100, most: 20 * time.Second, fails: 4},
		"limited, large": {
			link: limited, splits: 16, each: 10, size: 5e5, first: 1000, most: 20 * time.Second, fails: 100,
		},
		"limited, tiny limit": {
			link: tiny, splits: 16, each: 500, size: 300, most: time.Minute, fails: 10_000,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.splits)
				w.fill(c.first)
				body := strings.Repeat("x", c.size)
				n := c.first
				for range c.each {
					for _, s := range w.store.Splits("orders") {
						w.store.Append(s, "n", strconv.Itoa(n), "body", body)
						for i := range c.mixed {
							w.store.Append(s, "n", strconv.Itoa(n+1+i))
						}
					}
					n += 1 + c.mixed
				}
				a := w.behind(c.link)
				took := a.await(c.splits*n, c.most)
				lost := a.faults.Counts(splitstest.Fetch).Lost
				t.Logf("%s, %d of %d reads failed", took, lost, a.faults.Counts(splitstest.Fetch).Calls)
				assert.LessOrEqual(t, lost, c.fails)
				w.wantOnce(n, a)
				assert.Empty(t, a.allCauses())
				a.stopGracefully()
			})
		})
	}
}

// A regression: one entry that can't be read kept all partitions of its server from being read.
func TestUnreadableEntryIsReportedWhileOthersFlow(t *testing.T) {
	for _, before := range []int{0, 1, 250} {
		t.Run(fmt.Sprintf("behind %d others", before), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 16)
				w.fill(before)
				stuck := w.store.Split("orders", 7)
				offset := w.store.Append(stuck, "body", strings.Repeat("x", 20*megabyte))
				w.store.Append(stuck, "n", "last")
				a := w.behind(splitstest.Link{Rate: 2.5e6, Timeout: 6 * time.Second})
				began := time.Now()
				settle(60 * time.Second)
				for _, d := range a.deliveries() {
					if d.split != stuck {
						assert.Less(t, d.at.Sub(began), 25*time.Second, "few reads fail before the entry is known")
					}
				}
				sent := time.Now()
				for i := range 400 {
					for _, s := range w.store.Splits("orders") {
						if s != stuck {
							w.store.Append(s, "n", strconv.Itoa(before+i), "at", "later")
						}
					}
					settle(100 * time.Millisecond)
				}
				latest := sent
				for _, d := range a.deliveries() {
					if !d.at.Before(sent) {
						assert.Less(t, d.at.Sub(latest), time.Second, "the others flow without a break")
						latest = d.at
					}
				}
				assert.Equal(t, 16*before+15*400, a.count())
				reported := slices.DeleteFunc(
					a.allCauses(),
					func(err error) bool { return !errors.Is(err, splits.ErrUnfinished) },
				)
				require.NotEmpty(t, reported)
				for _, err := range reported {
					entry, ok := errors.AsType[*splits.EntryError](err)
					require.True(t, ok, "%v", err)
					assert.Equal(t, stuck, entry.Split)
					assert.Equal(t, offset, entry.Next.Offset)
					assert.Equal(t, int64(20*megabyte+4), entry.Next.Size)
					assert.ErrorContains(t, err, "with 20971524 bytes")
				}
				assert.Len(t, a.allCauses(), len(reported), "there is no other trouble")
				settle(2 * time.Minute)
				assert.InDelta(t, 4, len(a.allCauses()), 1, "it is reported again about every minute")

				a.faults.SetLink(splitstest.Link{Rate: 10e6, Timeout: 6 * time.Second})
				settle(time.Minute)
				assert.Contains(t, a.texts(), "last")
				assert.Equal(t, 1, see(a, func() int { return a.recoveries }))
				a.stopGracefully()
			})
		})
	}
}
