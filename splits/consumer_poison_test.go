package splits_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// processes are members that run one after the other, as a process that is restarted whenever an
// entry has killed it.
type processes struct {
	w       *world
	deadly  map[string]bool // numbers of the entries that kill their process
	kill    chan string     // receives the number of the entry that kills
	slow    bool            // each batch takes half a second, and batches are processed at the same time
	lives   int
	got     []delivery
	reports []splits.Failing
	change  func(*splits.Config, *member)
}

func (w *world) restarted(change func(*splits.Config, *member), deadly ...string) *processes {
	p := &processes{w: w, deadly: map[string]bool{}, kill: make(chan string, 1), change: change}
	for _, n := range deadly {
		p.deadly[n] = true
	}
	return p
}

// run runs a process until an entry kills it, at most for d. It returns the number of that entry.
func (p *processes) run(d time.Duration) (killer string, m *member) {
	p.lives++
	m = p.w.join("process-"+strconv.Itoa(p.lives), p.change, func(_ *splits.Config, m *member) {
		m.handle = p.process
		if p.slow {
			m.handle = func(b *splits.Batch) { m.out.Go(func() { p.process(b) }) }
		}
	})
	select {
	case killer = <-p.kill:
		m.crash()
		m.out.Wait()
	case <-time.After(d):
	}
	p.got = append(p.got, m.deliveries()...)
	p.reports = append(p.reports, see(m, func() []splits.Failing { return slices.Clone(m.failing) })...)
	return killer, m
}

// process is what a process does with a batch.
func (p *processes) process(b *splits.Batch) {
	for _, e := range b.Entries {
		if p.deadly[b.Split.ID()+" "+field(e, "n")] {
			if p.slow {
				time.Sleep(300 * time.Millisecond)
			}
			p.kill <- field(e, "n")
			return
		}
	}
	if p.slow {
		time.Sleep(500 * time.Millisecond)
	}
	b.Ack()
}

// runAll runs processes until one lives for d, and returns that one.
func (p *processes) runAll(d time.Duration) *member {
	for p.lives < 20 {
		if killer, m := p.run(d); killer == "" {
			return m
		}
	}
	require.Fail(p.w.t, "each process was killed")
	return nil
}

// wantAll checks that each entry was delivered, except for the deadly ones.
func (p *processes) wantAll(perSplit int) {
	p.w.t.Helper()
	seen := map[string]bool{}
	for _, d := range p.got {
		seen[d.split.ID()+" "+d.number] = true
	}
	for _, s := range p.w.store.Splits("orders") {
		for n := range perSplit {
			id := s.ID() + " " + strconv.Itoa(n)
			assert.True(p.w.t, seen[id] || p.deadly[id], id)
		}
	}
}

func TestEntryThatKillsTheProcessGetsALetter(t *testing.T) {
	inEachOrdering(t, 3, func(w *world, ordering splits.Ordering) {
		w.fill(300)
		letters := &mailbox{}
		p := w.restarted(withLetters(letters, ordering, 100), "orders-1 142")
		m := p.runAll(2 * time.Minute)
		assert.LessOrEqual(w.t, p.lives, 7, "3 to suspect a batch, %d alone, 1 that lives", splits.LoneDeaths)
		assert.Equal(w.t, []string{"142"}, letters.numbers())
		assert.Equal(w.t, 1, letters.letters[0].Split.Partition)
		assert.ErrorContains(
			w.t,
			letters.letters[0].Cause,
			"3 processes ended while they had this message in flight",
		)
		p.wantAll(300)
		for _, s := range w.store.Splits("orders") {
			assert.EqualValues(w.t, 300, w.lease(s.Partition).Position.EntriesRead, "%s", s)
			assert.Zero(w.t, w.lease(s.Partition).Suspect.UpTo)
			assert.Empty(w.t, w.store.Failing("g", s))
		}
		m.stop()
	})
}

// The processes end while batches of all partitions are in the pipeline.
func TestOnlyTheEntryThatKillsGetsALetter(t *testing.T) {
	inEachOrdering(t, 3, func(w *world, ordering splits.Ordering) {
		w.fill(10)
		letters := &mailbox{}
		p := w.restarted(withLetters(letters, ordering, 10), "orders-1 3")
		p.slow = true
		p.runAll(2 * time.Minute).stopGracefully()
		require.Equal(w.t, []string{"3"}, letters.numbers())
		assert.Equal(w.t, 1, letters.letters[0].Split.Partition)
		p.wantAll(10)
	})
}

func TestTwoEntriesThatKillTheProcessGetLetters(t *testing.T) {
	inEachOrdering(t, 3, func(w *world, ordering splits.Ordering) {
		w.fill(300)
		letters := &mailbox{}
		p := w.restarted(withLetters(letters, ordering, 100), "orders-1 142", "orders-2 17")
		p.runAll(2 * time.Minute).stop()
		assert.ElementsMatch(w.t, []string{"142", "17"}, letters.numbers())
		p.wantAll(300)
	})
}

func TestEntryThatKillsTheProcessIsKeptWithoutLetters(t *testing.T) {
	inEachOrdering(t, 3, func(w *world, ordering splits.Ordering) {
		w.fill(300)
		p := w.restarted(
			func(c *splits.Config, _ *member) { c.Ordering, c.BatchSize = ordering, 100 },
			"orders-1 142",
		)
		p.runAll(50 * time.Second).stop()
		assert.LessOrEqual(w.t, p.lives, 8)
		require.NotEmpty(w.t, p.reports)
		report := p.reports[0]
		assert.Equal(w.t, "orders-1", report.Split.ID())
		assert.Equal(w.t, splits.LoneDeaths, report.Attempts)
		var poison *splits.PoisonError
		require.ErrorAs(w.t, report.Cause, &poison)
		assert.Positive(w.t, poison.Wait)
		for _, other := range []int{0, 2} {
			assert.EqualValues(w.t, 300, w.lease(other).Position.EntriesRead)
			assert.Empty(w.t, w.lease(other).Deaths)
		}
		assert.Len(w.t, w.lease(1).Deaths, splits.LoneDeaths)
		assert.EqualValues(w.t, 142, w.lease(1).Position.EntriesRead)
	})
}

// Each process is killed while it has entries in flight, whatever they are.
func TestFiveKillsInARowCondemnNothing(t *testing.T) {
	inEachOrdering(t, 3, func(w *world, ordering splits.Ordering) {
		w.fill(30)
		letters := &mailbox{}
		change := func(c *splits.Config, _ *member) { c.Ordering, c.DeadLetters.Letters = ordering, letters }
		for i := range 5 {
			m := w.join(fmt.Sprintf("killed-%d", i), change, hanging)
			settle(ttl + heartbeat)
			require.Positive(w.t, m.count())
			m.crash()
		}
		last := w.join("last", change)
		settle(3 * time.Minute)
		assert.Zero(w.t, letters.attempts())
		w.wantOnce(30, last)
		last.stop()
	})
}

// hanging lets batches hang.
func hanging(_ *splits.Config, m *member) { m.handle = func(*splits.Batch) {} }

// The entry is seen as one that kills, and its letter can't be written for a while.
func TestLetterOfAnEntryThatKillsCanBeLate(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(50)
		letters := &mailbox{down: context.DeadlineExceeded}
		p := w.restarted(func(c *splits.Config, _ *member) { c.DeadLetters.Letters = letters }, "orders-0 17")
		m := p.runAll(10 * time.Minute)
		assert.Greater(w.t, letters.attempts(), 5)
		letters.fail(nil)
		settle(2 * time.Minute)
		assert.Equal(w.t, []string{"17"}, letters.numbers())
		assert.EqualValues(w.t, 50, w.lease(0).Position.EntriesRead)
		m.stop()
	})
}

// All entries kill: no more than three get letters without a success.
func TestFourthEntryInARowThatKillsIsNotGivenUp(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		for i := range 4 {
			w.store.Append(w.store.Split("orders", 0), "n", strconv.Itoa(i), "rafka_key", strconv.Itoa(i))
		}
		letters := &mailbox{down: context.DeadlineExceeded}
		p := w.restarted(func(c *splits.Config, _ *member) {
			c.Ordering, c.DeadLetters.Letters = splits.Unordered, letters
		}, "orders-0 0", "orders-0 1", "orders-0 2", "orders-0 3")
		m := p.runAll(30 * time.Second)
		letters.fail(nil)
		settle(65 * time.Second)
		assert.Len(w.t, letters.numbers(), 3)
		m.stop()
	})
}
