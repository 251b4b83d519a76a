package splits_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// Two members take over from each other while one of them can't reach the store. What they process
// takes longer than the outage.
func TestFiveOutagesInARowCondemnNothing(t *testing.T) {
	inEachOrdering(t, 1, func(w *world, ordering splits.Ordering) {
		w.fill(30)
		letters, slow := &mailbox{}, &slowPipelines{}
		change := func(c *splits.Config, m *member) {
			c.Ordering, c.DeadLetters.Letters = ordering, letters
			m.handle = func(b *splits.Batch) { slow.add(m, b) }
		}
		members, counted := []*member{w.join("a", change), w.join("b", change)}, 0
		for range 5 { // each of them loses its lease several times while an entry is in flight
			for _, m := range members {
				m.faults.Outage(true)
				settle(2 * ttl)
				counted += len(w.lease(0).Deaths)
				slow.finish(m)
				m.faults.Outage(false)
				settle(2 * heartbeat)
				assert.Empty(w.t, w.lease(0).Deaths, "a live member takes its death back")
			}
		}
		assert.GreaterOrEqual(w.t, counted, 5, "a takeover can't know that the owner is alive")
		for _, m := range members {
			m.stop()
		}
		last := w.join("last", func(c *splits.Config, _ *member) {
			c.Ordering, c.DeadLetters.Letters = ordering, letters
		})
		settle(3 * time.Minute)
		assert.Zero(w.t, letters.attempts())
		w.wantOnce(30, last)
		last.stop()
	})
}

// slowPipelines keep the batches of members.
type slowPipelines struct {
	mu  sync.Mutex
	out map[*member][]*splits.Batch
}

func (p *slowPipelines) add(m *member, b *splits.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		p.out = map[*member][]*splits.Batch{}
	}
	p.out[m] = append(p.out[m], b)
}

// finish acknowledges the batches of a member.
func (p *slowPipelines) finish(m *member) {
	p.mu.Lock()
	out := p.out[m]
	delete(p.out, m)
	p.mu.Unlock()
	for _, b := range out {
		b.Ack()
	}
}

func TestSuspicionEndsUnderTraffic(t *testing.T) {
	inEachOrdering(t, 3, func(w *world, ordering splits.Ordering) {
		w.fill(5)
		change := func(c *splits.Config, _ *member) { c.Ordering, c.BatchSize = ordering, 3 }
		for i := range 3 {
			m := w.join(fmt.Sprintf("killed-%d", i), change, hanging)
			settle(ttl + heartbeat)
			m.crash()
		}
		last := w.join("last", change, func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) { time.Sleep(100 * time.Millisecond); b.Ack() }
		})
		turns := func() (n int) {
			for _, s := range w.store.Splits("orders") {
				n += w.lease(s.Partition).Suspect.Turn
			}
			return n
		}
		traffic := func() {
			for range 600 {
				for _, s := range w.store.Splits("orders") {
					w.store.Append(s, "n", "x", "rafka_key", "k")
				}
				settle(100 * time.Millisecond)
			}
		}
		traffic()
		before := turns()
		assert.Positive(w.t, before)
		traffic()
		assert.Equal(w.t, before, turns(), "commits don't store suspects any more")
		settle(time.Minute)
		last.stop()
	})
}
