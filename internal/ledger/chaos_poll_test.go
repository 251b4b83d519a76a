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

// marksEvery is how many samples of the leases there are for each sample of the marks of the share
// group.
const marksEvery = 5

// leaseSample is a state of the leases and of the marks of the share group that was in the store
// before seenAt.
type leaseSample struct {
	leases, marks []lease
	seenAt        time.Time
}

// watchAll starts to sample the leases, and to notice when the machine stalls, which counts as a
// fault, too. Both end with the test.
func (c *chaos) watchAll(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		c.sampleLeases(ctx)
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

// sampleLeases samples the leases. It also records when the servers do not answer although they
// have no active fault: on a busy machine that happens.
func (c *chaos) sampleLeases(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	well := c.serversUp()
	answered := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		sample, err := c.sample(ctx, i%marksEvery == 0)
		now := sample.seenAt
		select {
		case c.samples <- sample:
		case <-ctx.Done():
		}
		well = well && c.serversUp()
		if err == nil {
			if well && now.Sub(answered) > stall {
				c.history.past(
					faultEvent{
						what:    "slow without a fault",
						targets: []string{allServers},
						effect:  disruptive,
						from:    answered,
						to:      now,
					},
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

// sample returns the present states. It is incomplete while servers are down.
func (c *chaos) sample(ctx context.Context, withMarks bool) (s leaseSample, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*watchEvery)
	defer cancel()
	if withMarks {
		s.marks, _ = c.readMarks(ctx, sharers) // fewer marks only make the audit less strict
	}
	s.leases, err = c.readLeases(ctx, c.client)
	s.seenAt = time.Now()
	return s, err
}

// stall is how long the machine or a server has to stand still to count as a fault.
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
			c.history.past(
				faultEvent{what: "stood still", targets: []string{machine}, effect: freezing, from: last, to: now},
			)
		}
	}
}

// poll reads new lines of all files and checks what can be checked. It fails the test if a fault
// could not be injected or a process ended unexpectedly.
func (c *chaos) poll(t testing.TB) {
	t.Helper()
	if t.Failed() {
		t.FailNow()
	}
	c.requireRunning(t)
	for len(c.samples) > 0 {
		s := <-c.samples
		c.audit.consumerGroup.commits.add(s.leases, s.seenAt)
		c.audit.shareGroup.commits.add(s.marks, s.seenAt)
	}
	c.readBooks(t)
	if now := time.Now(); now.Sub(c.streamsRead) > streamsEvery && c.serversUp() {
		c.readStreams(t)
		c.streamsRead = now
	}
	if now := time.Now(); now.Sub(c.trimmed) > trimEvery && c.serversUp() {
		c.trim(t)
		c.trimmed = now
	}
	c.mu.Lock()
	for _, o := range c.takeovers {
		g := c.audit.of(o.kind)
		g.takeovers = append(g.takeovers, o)
	}
	c.takeovers = nil
	c.mu.Unlock()
	c.audit.check(time.Now().Add(-checkDelay))
}

func (c *chaos) requireRunning(t testing.TB) {
	t.Helper()
	for _, h := range c.running(func(h *host) bool { return h.process.ended() }) {
		p := h.process
		if now := time.Now(); !p.stopping.Load() {
			require.Fail(
				t,
				p.name+" ended unexpectedly",
				"%s; events:\n%s",
				p.cmd.ProcessState,
				c.history.around(now, now),
			)
		}
	}
}

func (c *chaos) serversUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serversFault == nil
}

// readBooks reads new lines of ledgers and ack logs. Files of processes that have ended are read to
// their ends and removed.
func (c *chaos) readBooks(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	books, ledgers := slices.Clone(c.openBooks), slices.Clone(c.openLedgers)
	c.mu.Unlock()
	gone := map[*process]bool{}
	for _, p := range books {
		gone[p.process] = p.ended() // before the last read
		p.ackLog.refresh(t)
		for _, line := range p.numbers {
			c.audit.noteAck(line)
		}
		p.acknowledged += len(p.numbers)
		p.numbers = nil
		if gone[p.process] {
			_ = os.Remove(p.Book) // the file is missing if nothing was written
		}
	}
	for _, m := range ledgers {
		gone[m.process] = m.ended()
		for _, r := range m.consumerLedger.refresh(t) {
			c.audit.of(m.kind()).noteRead(r)
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

// readStreams reads new entries of the streams, as far as the servers answer, and reports whether
// it reached all ends.
func (c *chaos) readStreams(t testing.TB) (all bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), streamsEvery)
	defer cancel()
	all = true
	for i := range c.Partitions {
		for more := true; more; {
			var page []entry
			var err error
			if page, more, err = c.entriesAfter(ctx, i, c.positions[i]); err != nil {
				all = false
				break
			}
			for _, e := range page {
				c.audit.noteEntry(i, e)
				c.positions[i] = e.id
			}
			c.entryCounts[i] += int64(len(page))
		}
	}
	return all
}

// trim deletes entries that both groups were done with a while ago, so that memory stays bounded.
// An entry that is pending in the share group stays.
func (c *chaos) trim(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), streamsEvery)
	defer cancel()
	for i, read := range c.positions {
		upTo := c.audit.doneByAll(i, time.Now().Add(-2*checkDelay))
		if at, err := splits.ParseOffset(read); err == nil && upTo.Before(at) {
			c.audit.noteTrim(i, upTo)
			_ = c.client.XTrimMinID(ctx, c.partitionKey(i), upTo.String()).Err() // else next time
		}
	}
}
