package splits_test

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// mailbox keeps letters, as a store of dead letters does: no entry twice.
type mailbox struct {
	mu      sync.Mutex
	down    error
	tries   int
	letters []splits.Letter
	// onWrite, if set, is called before a letter is kept.
	onWrite func(l splits.Letter)
}

func (b *mailbox) Write(_ context.Context, l splits.Letter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.down != nil {
		return b.down
	}
	if b.onWrite != nil {
		b.onWrite(l)
	}
	same := func(other splits.Letter) bool { return other.Split == l.Split && other.Entry.Offset == l.Entry.Offset }
	if !slices.ContainsFunc(b.letters, same) {
		b.letters = append(b.letters, l)
	}
	return nil
}

func (b *mailbox) fail(err error) { b.mu.Lock(); defer b.mu.Unlock(); b.down = err }

func (b *mailbox) attempts() int { b.mu.Lock(); defer b.mu.Unlock(); return b.tries }

// numbers returns the numbers of the entries of the letters.
func (b *mailbox) numbers() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.letters {
		all = append(all, field(l.Entry, "n"))
	}
	return all
}

// sinkOf is a sink that rejects some entries, and all while it is down.
type sinkOf struct {
	mu     sync.Mutex
	bad    map[string]bool
	isDown bool
	passed []string
}

// rejecting returns a sink that rejects the entries with some numbers.
func rejecting(numbers ...string) *sinkOf {
	s := &sinkOf{bad: map[string]bool{}}
	for _, n := range numbers {
		s.bad[n] = true
	}
	return s
}

func (s *sinkOf) handle(b *splits.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range b.Entries {
		if s.isDown || s.bad[field(e, "n")] {
			b.Nack(errRejected, nil)
			return
		}
	}
	for _, e := range b.Entries {
		s.passed = append(s.passed, field(e, "n"))
	}
	b.Ack()
}

func (s *sinkOf) down(down bool) { s.mu.Lock(); defer s.mu.Unlock(); s.isDown = down }

func (s *sinkOf) heal(number string) { s.mu.Lock(); defer s.mu.Unlock(); delete(s.bad, number) }

func (s *sinkOf) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.passed)
	slices.SortFunc(all, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return all
}

// lettering gives up entries that the sink rejects.
func lettering(sink *sinkOf, letters *mailbox, change ...func(*splits.Config)) func(*splits.Config, *member) {
	return func(c *splits.Config, m *member) {
		m.handle = sink.handle
		c.DeadLetters = splits.DeadLetters{Letters: letters}
		for _, ch := range change {
			ch(c)
		}
	}
}

// withLetters sets where letters are written, the ordering, and the size of batches.
func withLetters(letters *mailbox, ordering splits.Ordering, size int) func(*splits.Config, *member) {
	return func(c *splits.Config, _ *member) {
		c.DeadLetters.Letters, c.Ordering, c.BatchSize = letters, ordering, size
	}
}

// wantGivenUp checks that some of n entries have letters, and that the sink received all others
// once.
func (w *world) wantGivenUp(letters *mailbox, sink *sinkOf, n int, gone ...string) {
	w.t.Helper()
	assert.ElementsMatch(w.t, gone, letters.numbers())
	assert.Equal(w.t, without(n, gone...), sink.got())
}

// noted returns what is stored of the entries of the only split that failed.
func (w *world) noted() []splits.Attempted { return w.store.Failing("g", w.only()) }

// without returns the numbers below n without some of them.
func without(n int, gone ...string) []string {
	return slices.DeleteFunc(numbers(n), func(s string) bool { return slices.Contains(gone, s) })
}
