package splits_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// shareProcesses are members of a share group that are replaced whenever an entry has killed them.
type shareProcesses struct {
	w       *world
	deadly  map[string]bool // split and number of the entries that kill their process
	died    chan *sharer
	out     sync.WaitGroup
	slow    bool // batches take half a second, and are processed at the same time
	all     []*sharer
	reports []splits.Failing
	change  func(*splits.ShareConfig, *sharer)
}

func (w *world) restartedSharers(letters *mailbox, deadly ...string) *shareProcesses {
	p := &shareProcesses{w: w, deadly: map[string]bool{}, died: make(chan *sharer, 10)}
	p.change = func(c *splits.ShareConfig, _ *sharer) {
		if c.BatchSize = 100; letters != nil {
			c.DeadLetters.Letters = letters
		}
	}
	for _, id := range deadly {
		p.deadly[id] = true
	}
	return p
}

// run keeps n processes running until none of them was killed for d.
func (p *shareProcesses) run(n int, d time.Duration) {
	for range n {
		p.start()
	}
	for {
		select {
		case m := <-p.died:
			m.crash()
			p.out.Wait()
			m.note(func() { p.reports = append(p.reports, m.failing...) })
			require.Less(p.w.t, len(p.all), 20, "each process was killed")
			p.start()
		case <-time.After(d):
			for _, m := range p.all[len(p.all)-n:] {
				m.note(func() { p.reports = append(p.reports, m.failing...) })
			}
			return
		}
	}
}

func (p *shareProcesses) start() {
	p.all = append(p.all, p.w.share("process-"+strconv.Itoa(len(p.all))+"-", p.change, func(
		_ *splits.ShareConfig, m *sharer,
	) {
		m.handle = func(b *splits.Batch) { p.process(m, b) }
		if p.slow {
			m.handle = func(b *splits.Batch) { p.out.Go(func() { p.process(m, b) }) }
		}
	}))
}

// process is what a process does with a batch.
func (p *shareProcesses) process(m *sharer, b *splits.Batch) {
	for _, e := range b.Entries {
		if p.deadly[b.Split.ID()+" "+field(e, "n")] {
			if p.slow {
				time.Sleep(300 * time.Millisecond)
			}
			p.died <- m
			return
		}
	}
	if p.slow {
		time.Sleep(500 * time.Millisecond)
	}
	b.Ack()
}

// wantAll checks that each entry was delivered, and nothing is left of it.
func (p *shareProcesses) wantAll(perSplit int) {
	p.w.t.Helper()
	times := timesDelivered(p.all...)
	for _, s := range p.w.store.Splits("orders") {
		for n := range perSplit {
			assert.Positive(p.w.t, times[s.ID()+"/"+strconv.Itoa(n)], "%s %d", s, n)
		}
		assert.Empty(p.w.t, p.w.pending(s.Partition))
		assert.Empty(p.w.t, p.w.suspected(s.Partition))
		assert.Empty(p.w.t, p.w.store.Failing("g", s))
	}
}

// suspected returns what is counted of the entries of a split.
func (w *world) suspected(partition int) []splits.Suspected {
	all, _ := w.store.Suspected("g", w.store.Split("orders", partition))
	return all
}

func TestShareEntryThatKillsTheProcessGetsALetter(t *testing.T) {
	for _, members := range []int{1, 2} {
		t.Run(strconv.Itoa(members), func(t *testing.T) {
			inBubble(t, 3, func(w *world) {
				w.fill(300)
				letters := &mailbox{}
				p := w.restartedSharers(letters, "orders-1 142")
				p.run(members, 2*time.Minute)
				assert.LessOrEqual(t, len(p.all), 6+members, "3 to suspect a batch, %d alone", splits.LoneDeaths)
				require.Equal(t, []string{"142"}, letters.numbers())
				assert.Equal(t, 1, letters.letters[0].Split.Partition)
				assert.ErrorContains(
					t,
					letters.letters[0].Cause,
					"3 processes ended while they had this message in flight",
				)
				p.wantAll(300)
			})
		})
	}
}

// The processes end while batches of all partitions are in the pipeline.
func TestShareOnlyTheEntryThatKillsGetsALetter(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(10)
		letters := &mailbox{}
		p := w.restartedSharers(letters, "orders-1 3")
		p.slow = true
		p.run(1, 2*time.Minute)
		require.Equal(t, []string{"3"}, letters.numbers())
		assert.Equal(t, 1, letters.letters[0].Split.Partition)
		p.wantAll(10)
		p.all[len(p.all)-1].stop()
		p.out.Wait()
	})
}

func TestShareTwoEntriesThatKillTheProcessGetLetters(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(300)
		letters := &mailbox{}
		p := w.restartedSharers(letters, "orders-1 142", "orders-2 17")
		p.run(1, 2*time.Minute)
		assert.ElementsMatch(t, []string{"142", "17"}, letters.numbers())
		p.wantAll(300)
	})
}

func TestShareEntryThatKillsTheProcessIsKeptWithoutLetters(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(300)
		p := w.restartedSharers(nil, "orders-1 142")
		p.run(1, 50*time.Second)
		assert.LessOrEqual(t, len(p.all), 7)
		require.NotEmpty(t, p.reports)
		report := p.reports[0]
		assert.Equal(t, "orders-1", report.Split.ID())
		assert.Equal(t, splits.LoneDeaths, report.Attempts)
		var poison *splits.PoisonError
		require.ErrorAs(t, report.Cause, &poison)
		assert.Positive(t, poison.Wait)
		for partition, pending := range []int{0, 1, 0} {
			assert.Len(t, w.store.Share("g", w.store.Split("orders", partition)).Pending, pending)
		}
		w.wantDeaths(splits.LoneDeaths)
		p.run(0, 100*time.Second) // it is tried again after a minute, and then after two more
		w.wantDeaths(splits.LoneDeaths + 1)
	})
}

// wantDeaths checks that only one entry of the second split is suspected, with this number of deaths.
func (w *world) wantDeaths(n int) {
	w.t.Helper()
	all := w.suspected(1)
	require.Len(w.t, all, 1)
	assert.Equal(w.t, n, all[0].Deaths)
}

// The entry is seen as one that kills, and its letter can't be written for a while.
func TestShareLetterOfAnEntryThatKillsCanBeLate(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(50)
		letters := &mailbox{down: context.DeadlineExceeded}
		p := w.restartedSharers(letters, "orders-0 17")
		p.run(1, 10*time.Minute)
		assert.Greater(t, letters.attempts(), 5)
		letters.fail(nil)
		settle(2 * time.Minute)
		assert.Equal(t, []string{"17"}, letters.numbers())
		p.wantAll(50)
	})
}

// An entry that kills its process and has failed before begins alone, and kills it alone.
func TestShareEntryThatFailsAndKillsGetsALetter(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		letters := &mailbox{}
		m := w.share("failing", func(c *splits.ShareConfig, m *sharer) {
			c.DeadLetters.Letters = letters
			m.handle = func(b *splits.Batch) {
				if slices.ContainsFunc(b.Entries, func(e splits.Entry) bool { return field(e, "n") == "3" }) {
					b.Nack(errRejected, nil)
				} else {
					b.Ack()
				}
			}
		})
		settle(time.Second)
		require.NotEmpty(t, w.noted())
		m.crash()
		p := w.restartedSharers(letters, "orders-0 3")
		p.run(1, 2*time.Minute)
		assert.Equal(t, []string{"3"}, letters.numbers())
		p.all = append(p.all, m)
		p.wantAll(10)
	})
}
