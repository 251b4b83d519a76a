package splits

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Consumer is one running member of a consumer group. It connects the enumerator, the splitSet and
// the goroutines between them. NewConsumer starts nothing; Start starts all goroutines, Close stops
// and joins them. Only one goroutine at a time may call Poll. All other methods are safe for
// concurrent use.
type Consumer struct {
	cfg        Config
	health     *health
	set        *splitSet
	claimer    *claimer
	enumerator *enumerator
	noter      *noter[*ownedSplit]

	running     context.Context    // ends when the loops and the reads are to end
	stop        context.CancelFunc // ends running
	cancelCalls context.CancelFunc // ends the calls of the loops
	loops       sync.WaitGroup     // everything that calls the store, except the reads
	reads       sync.WaitGroup     // fetchers and the wake-up subscription: they may block for a while
	closed      sync.Once
	// resubscribe ends the back-off of the subscription early.
	resubscribe signal

	mu       sync.Mutex
	fetchers map[string]*fetcher
}

// NewConsumer returns a Consumer that is not started.
func NewConsumer(cfg Config) *Consumer {
	cfg = cfg.withDefaults()
	c := &Consumer{
		cfg:         cfg,
		health:      newHealth(cfg.Observer, cfg.Now),
		set:         newSplitSet(cfg),
		fetchers:    map[string]*fetcher{},
		resubscribe: newSignal(),
	}
	c.claimer = newClaimer(cfg, c.set, c.health)
	c.claimer.onAdded = c.startReads
	c.noter = newNoter(&c.set.judge, c.health, cfg.Node, cfg.Heartbeat, c.set.storeNotes)
	c.noter.send[noteAlive] = c.set.storeAlive
	c.enumerator = newEnumerator(cfg, c.health, c.claimer.setAssignment)
	c.health.onRecovered = c.retryNow
	return c
}

// Start joins the group and starts to read. It returns immediately; Await waits until the group has
// been joined. Start must be called once, before Poll.
func (c *Consumer) Start() {
	running, stop := context.WithCancel(context.Background())
	calls, sever := context.WithCancel(context.Background())
	c.running, c.stop, c.cancelCalls = running, stop, sever
	committer := newCommitter(c.cfg, c.set, c.health)
	auditor := &auditor{cfg: c.cfg, set: c.set, health: c.health}
	counter := newCounter(c.cfg, c.set)
	adopter := newAdopter(c.cfg, c.set, c.health)
	loader := newLoader(c.cfg, c.set, c.health)
	condemner := newCondemner(c.noter, c.cfg.CallTimeout, c.cfg.FetchWithin, c.cfg.Backoff)
	// Close ends and joins all of these. The loops finish their current call: a beat or a claim
	// that is applied after the member has left would keep splits from other members for a whole
	// ttl.
	c.loops.Go(func() { c.enumerator.run(running, calls) })
	c.loops.Go(func() { c.claimer.run(running, calls) })
	c.loops.Go(func() { committer.run(running, calls) })
	c.loops.Go(func() { auditor.run(running, calls) })
	c.loops.Go(func() { counter.run(running, calls) })
	c.loops.Go(func() { adopter.run(running, calls) })
	c.loops.Go(func() { loader.run(running, calls) })
	c.loops.Go(func() { c.noter.run(running, calls) })
	c.loops.Go(func() { condemner.run(running, calls) })
	c.reads.Go(func() { c.listen(running) })
}

// listen passes on the hints that the group has changed, until ctx ends.
func (c *Consumer) listen(ctx context.Context) {
	subscribe(ctx, c.cfg.Now, c.cfg.Backoff(), c.resubscribe, func() error {
		return c.cfg.Group.Wake(ctx, func() {
			c.enumerator.wake.raise()
			c.claimer.hint.raise()
		})
	})
}

// startReads starts the first read of splits that were just claimed, and the fetchers of their
// fetch groups. It does not wait for the read, which can take longer than anything else that the
// claimer does.
func (c *Consumer) startReads(owned []*ownedSplit) {
	groups := map[string][]*ownedSplit{}
	for _, o := range owned {
		group := c.cfg.FetchGroup(o.lease.Split)
		groups[group] = append(groups[group], o)
	}
	c.reads.Go(func() { // ends with its reads
		for group, added := range groups {
			c.fetcher(group).readFirst(c.running, added)
		}
	})
}

// fetcher returns the fetcher of a fetch group, and starts it if necessary.
func (c *Consumer) fetcher(group string) *fetcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fetchers[group]
	if f == nil {
		f = &fetcher{
			group: group, set: c.set, streams: c.cfg.Streams, cfg: c.cfg, health: c.health,
			room: c.set.roomSignal(group), retryNow: newSignal(), spawn: c.reads.Go,
			exclusive: make(chan struct{}, 1),
		}
		f.exclusive <- struct{}{}
		c.fetchers[group] = f
		c.reads.Go(func() { f.run(c.running) }) // ends with Close
	}
	return f
}

// retryNow ends back-offs early when the store is available again.
func (c *Consumer) retryNow() {
	c.enumerator.wake.raise()
	c.claimer.hint.raise()
	c.resubscribe.raise()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.fetchers {
		f.retryNow.raise()
	}
}

// Poll returns the next batch. It waits until there is one; until ctx ends (then it returns its
// error); until the consumer is closed (ErrClosed); or, while there is nothing to hand out, until
// the store has been unavailable for a second (*UnavailableError). The consumer keeps trying; Await
// waits until polling makes sense again.
func (c *Consumer) Poll(ctx context.Context) (*Batch, error) {
	return c.health.poll(ctx, c.set, c.set.readable)
}

// Await waits until the group has been joined and the store is available, or there is something to
// hand out, or ctx ends. Then it returns why the store is unavailable, or ctx's error if it is
// available.
func (c *Consumer) Await(ctx context.Context) error {
	return c.health.await(ctx, c.set, c.enumerator.joinedGroup, c.enumerator.beaten)
}

// Owned returns the number of owned splits.
func (c *Consumer) Owned() int { return c.set.count() }

// Close leaves the group, unless the member is static. Nothing more is handed out, acknowledged
// entries are committed, every split is released, and then the reads are joined, which can't be
// interrupted. Close does not wait for batches in flight: their acknowledgements have no effect any
// more. Each step is bounded by Config.CallTimeout. Close may be called twice, and before Start.
func (c *Consumer) Close(ctx context.Context) error {
	var err error
	c.closed.Do(func() { err = c.close(ctx) })
	return err
}

func (c *Consumer) close(ctx context.Context) error {
	c.set.close()
	if c.stop == nil {
		return nil
	}
	c.stop()
	c.loops.Wait()
	noting, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	c.noter.flush(noting)
	cancel()
	c.claimer.close(ctx)
	var err error
	if !c.cfg.static() {
		leaving, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
		defer cancel()
		err = c.cfg.Group.Leave(leaving, c.cfg.Member)
	}
	c.cancelCalls()
	c.reads.Wait()
	if err != nil && !errors.Is(err, ErrFenced) {
		return fmt.Errorf("leaving the group: %w", err)
	}
	return nil
}
