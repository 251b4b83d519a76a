package splits

import (
	"context"
	"fmt"
	"sync"
)

// ShareConsumer is one running member of a share group: all members read all splits, each entry
// goes to one of them, and entries have no order. It has the same methods as a Consumer.
// NewShareConsumer starts nothing; Start starts all goroutines, Close stops and joins them. Only
// one goroutine at a time may call Poll. All other methods are safe for concurrent use.
type ShareConsumer struct {
	cfg          ShareConfig
	health       *health
	set          *shareSet
	member       *shareMember
	acknowledger *shareAcknowledger
	noter        *noter[*shareSplit]

	running     context.Context    // ends when the loops and the reads are to end
	stop        context.CancelFunc // ends running
	calls       context.Context    // of the loops
	cancelCalls context.CancelFunc // ends calls
	membership  sync.WaitGroup     // beats, the wake-up subscription, samples, letters and notes
	acks        sync.WaitGroup
	stopAcks    context.CancelFunc
	reads       sync.WaitGroup
	closed      sync.Once
	// resubscribe ends the back-off of the subscription early.
	resubscribe signal

	mu      sync.Mutex
	readers map[string]*shareReader
}

// NewShareConsumer returns a ShareConsumer that is not started.
func NewShareConsumer(cfg ShareConfig) *ShareConsumer {
	cfg = cfg.withDefaults()
	h := newHealth(cfg.Observer, cfg.Now)
	set := newShareSet(cfg, h)
	c := &ShareConsumer{
		cfg: cfg, health: h, set: set,
		member:       newShareMember(cfg, h, set),
		acknowledger: newShareAcknowledger(cfg, set, h),
		resubscribe:  newSignal(),
		readers:      map[string]*shareReader{},
	}
	c.noter = newNoter(&set.judge, h, cfg.Node, cfg.Heartbeat, set.storeNotes)
	c.noter.send[noteAlive], c.noter.send[noteFlight] = set.storeAlive, set.storeFlights
	set.onSplits = c.startReaders
	c.member.onChange = c.lookNow
	h.onRecovered = c.retryNow
	return c
}

// Start joins the group and starts to read. It returns immediately; Await waits until the group has
// been joined. Start must be called once, before Poll.
func (c *ShareConsumer) Start() {
	c.running, c.stop = context.WithCancel(context.Background())
	c.calls, c.cancelCalls = context.WithCancel(context.Background())
	acking, stopAcks := context.WithCancel(context.Background())
	c.stopAcks = stopAcks
	// Close ends and joins all of these. The loops finish their current call.
	c.membership.Go(func() { c.member.run(c.running, c.calls) })
	c.membership.Go(func() { c.listen(c.running) })
	sampler := &shareSampler{cfg: c.cfg, set: c.set, health: c.health}
	c.membership.Go(func() { sampler.run(c.running, c.calls) })
	condemner := newCondemner(c.noter, c.cfg.CallTimeout, c.cfg.FetchWithin, c.cfg.Backoff)
	c.membership.Go(func() { c.noter.run(c.running, c.calls) })
	c.membership.Go(func() { condemner.run(c.running, c.calls) })
	c.acks.Go(func() { c.acknowledger.run(acking, c.calls) })
}

// listen passes on the hints that the group has changed, until ctx ends.
func (c *ShareConsumer) listen(ctx context.Context) {
	subscribe(ctx, c.cfg.Now, c.cfg.Backoff(), c.resubscribe, func() error {
		return c.cfg.Group.Wake(ctx, c.member.wake.raise)
	})
}

// startReaders starts the readers of fetch groups that have none. The loop of the member calls it.
func (c *ShareConsumer) startReaders(groups []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, group := range groups {
		if c.readers[group] != nil {
			continue
		}
		r := &shareReader{
			group: group, cfg: c.cfg, set: c.set, member: c.member, health: c.health,
			room: c.set.roomSignal(group), retryNow: newSignal(),
		}
		c.readers[group] = r
		c.reads.Go(func() { r.run(c.running) }) // ends with Close
	}
}

// lookNow makes all readers look for what is pending at members that ended.
func (c *ShareConsumer) lookNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.readers {
		r.lookNow.Store(true)
		r.room.raise()
	}
}

// retryNow ends back-offs early when the store is available again.
func (c *ShareConsumer) retryNow() {
	c.member.wake.raise()
	c.resubscribe.raise()
	c.acknowledger.retryNow.raise()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.readers {
		r.retryNow.raise()
	}
}

// Poll returns the next batch, as Consumer.Poll does.
func (c *ShareConsumer) Poll(ctx context.Context) (*Batch, error) {
	return c.health.poll(ctx, c.set, c.set.readable)
}

// Await waits until polling makes sense, as Consumer.Await does.
func (c *ShareConsumer) Await(ctx context.Context) error {
	return c.health.await(ctx, c.set, c.member.joinedGroup, c.member.beaten)
}

// Owned returns the number of splits that the member reads.
func (c *ShareConsumer) Owned() int { return c.set.count() }

// Close leaves the group, unless the member is static. Nothing more is handed out, and what was
// processed is acknowledged. Reads are joined before the member leaves: a read that is applied
// later would leave entries behind that the other members do not look for soon. Close does not wait
// for batches in flight: their acknowledgements have no effect any more, and other members take
// over their entries. Each step is bounded by ShareConfig.CallTimeout. Close may be called twice,
// and before Start.
func (c *ShareConsumer) Close(ctx context.Context) error {
	var err error
	c.closed.Do(func() { err = c.close(ctx) })
	return err
}

func (c *ShareConsumer) close(ctx context.Context) error {
	c.set.close()
	if c.stop == nil {
		return nil
	}
	c.stop()
	c.membership.Wait()
	c.reads.Wait()
	c.stopAcks()
	c.acks.Wait()
	flushing, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	c.acknowledger.flush(flushing)
	c.noter.flush(flushing)
	// What is not stored costs deliveries at most: other members are more careful then.
	_ = c.cfg.Shares.Survive(flushing, c.set.survivors())
	cancel()
	leaving, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	err := c.member.leave(leaving)
	c.cancelCalls()
	if err != nil {
		return fmt.Errorf("leaving the group: %w", err)
	}
	return nil
}
