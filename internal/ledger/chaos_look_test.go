//go:build ledger

package ledger

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// sighted is what the leases were before a moment.
type sighted struct {
	leases []lease
	before time.Time
}

// watchAll begins to look at the leases, and at the machine: that it stood still is a misfortune,
// too. Both end with the test.
func (c *chaos) watchAll(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		c.sightLeases(ctx)
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		c.watchMachine(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
	})
}

// sightLeases looks at the leases, and notes when the servers are away though no strike is on them:
// on a machine that is busy they are.
func (c *chaos) sightLeases(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	well := c.serversWell()
	for answered := time.Now(); ctx.Err() == nil; {
		asking, cancel := context.WithTimeout(ctx, 20*watchEvery)
		leases, err := c.readLeases(asking, c.client) // while servers are away that is less
		cancel()
		now := time.Now()
		select {
		case c.seen <- sighted{leases, now}:
		case <-ctx.Done():
		}
		well = well && c.serversWell()
		if err == nil {
			if well && now.Sub(answered) > stall {
				c.history.past(
					blow{what: "slow by itself", whom: []string{theServers}, effect: harsh, from: answered, to: now},
				)
			}
			answered, well = now, true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// stall is how long a machine or a server stands still until that is a misfortune of its own.
const stall = 500 * time.Millisecond

func (c *chaos) watchMachine(ctx context.Context) {
	tick := time.NewTicker(stall / 20)
	defer tick.Stop()
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := time.Now(); now.Sub(last) > stall {
			c.history.past(blow{what: "stood still", whom: []string{theMachine}, effect: freezing, from: last, to: now})
		}
	}
}

// look reads what is new in the books, and has judged what can be. It fails the test if a strike
// failed or a process ended by itself.
func (c *chaos) look(t testing.TB) {
	t.Helper()
	if t.Failed() {
		t.FailNow()
	}
	c.requireRunning(t)
	for len(c.seen) > 0 {
		s := <-c.seen
		c.audit.commits.note(s.leases, s.before)
	}
	c.readBooks(t)
	if now := time.Now(); now.Sub(c.listened) > listenEvery && c.serversWell() {
		c.readStreams(t)
		c.listened = now
	}
	if now := time.Now(); now.Sub(c.trimmed) > trimEvery && c.serversWell() {
		c.trim(t)
		c.trimmed = now
	}
	c.mu.Lock()
	c.audit.takeovers = append(c.audit.takeovers, c.gone...)
	c.gone = nil
	c.mu.Unlock()
	c.audit.judge(time.Now().Add(-hindsight))
}

func (c *chaos) requireRunning(t testing.TB) {
	t.Helper()
	for _, s := range c.running(func(s *seat) bool { return s.process.ended() }) {
		p := s.process
		if now := time.Now(); !p.dismissed.Load() {
			require.Fail(
				t,
				p.name+" ended by itself",
				"%s; what happened:\n%s",
				p.cmd.ProcessState,
				c.history.around(now, now),
			)
		}
	}
}

func (c *chaos) serversWell() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serversStruck == nil
}

// readBooks reads what is new in ledgers and entry books. Those of processes that are gone are read
// to their ends and removed.
func (c *chaos) readBooks(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	books, ledgers := slices.Clone(c.openBooks), slices.Clone(c.openLedgers)
	c.mu.Unlock()
	gone := map[*process]bool{}
	for _, p := range books {
		gone[p.process] = p.ended() // asked first
		p.book.refresh(t)
		for _, line := range p.numbers {
			c.audit.acknowledge(line)
		}
		p.acknowledged += len(p.numbers)
		p.numbers = nil
		if gone[p.process] {
			_ = os.Remove(p.Book) // there is none if nothing was written
		}
	}
	for _, m := range ledgers {
		gone[m.process] = m.ended()
		for _, r := range m.outBook.refresh(t) {
			c.audit.hear(r)
		}
		m.records = nil
		if gone[m.process] {
			_ = os.Remove(m.Ledger)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.openBooks = slices.DeleteFunc(c.openBooks, func(p *producer) bool { return gone[p.process] })
	c.openLedgers = slices.DeleteFunc(c.openLedgers, func(m *member) bool { return gone[m.process] })
}

// readStreams reads what is new in the streams, as far as the servers answer, and reports whether
// that is all.
func (c *chaos) readStreams(t testing.TB) (all bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), listenEvery)
	defer cancel()
	all = true
	for i := range c.Partitions {
		for more := true; more; {
			var page []entry
			var err error
			if page, more, err = c.entriesAfter(ctx, i, c.read[i]); err != nil {
				all = false
				break
			}
			for _, e := range page {
				c.audit.stand(i, e)
				c.read[i] = e.id
			}
			c.counted[i] += int64(len(page))
		}
	}
	return all
}

// trim has Redis drop what was committed a while ago, so that memory stays bounded.
func (c *chaos) trim(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), listenEvery)
	defer cancel()
	for i, read := range c.read {
		upTo := c.audit.commits.committed(i, time.Now().Add(-2*hindsight))
		if at, err := splits.ParseOffset(read); err == nil && upTo.Before(at) {
			_ = c.client.XTrimMinID(ctx, c.partitionKey(i), upTo.String()).Err() // or next time
		}
	}
}
