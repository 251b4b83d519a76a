package splits

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Consumer is one running member of a consumer group: it puts together the Enumerator, the Reader
// and the goroutines between them. NewConsumer starts nothing; Start does, Close stops and joins.
// Poll is for one goroutine at a time, everything else may be called from any.
type Consumer struct {
	cfg        Config
	health     *health
	set        *splitSet
	claimer    *claimer
	enumerator *enumerator

	running     context.Context    // ends when the loops and the reads are to end
	stop        context.CancelFunc // ends running
	cancelCalls context.CancelFunc // ends the calls of the loops
	loops       sync.WaitGroup     // enumerator, claimer, committer, auditor, counter
	reads       sync.WaitGroup     // fetchers and the wake-up subscription: they may block for a while
	closed      sync.Once
	// relisten cuts the back-off of the subscription short.
	resubscribe signal

	mu       sync.Mutex
	fetchers map[string]*fetcher
}

// NewConsumer makes a consumer out of its configuration.
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
	c.enumerator = newEnumerator(cfg, c.health, c.claimer.setAssignment)
	c.health.onRecovered = c.retryNow
	return c
}

// Start joins the group and begins to read. It returns at once; Await tells when the group has been
// joined. It must be called once, before Poll.
func (c *Consumer) Start() {
	running, stop := context.WithCancel(context.Background())
	calls, sever := context.WithCancel(context.Background())
	c.running, c.stop, c.cancelCalls = running, stop, sever
	committer := newCommitter(c.cfg, c.set, c.health)
	auditor := &auditor{cfg: c.cfg, set: c.set, health: c.health}
	counter := newCounter(c.cfg, c.set)
	// All of these end with Close, which joins them. The loops finish the call that they are in: a
	// beat or a claim that is applied after the member has left would keep splits from the others
	// for a whole ttl.
	c.loops.Go(func() { c.enumerator.run(running, calls) })
	c.loops.Go(func() { c.claimer.run(running, calls) })
	c.loops.Go(func() { committer.run(running, calls) })
	c.loops.Go(func() { auditor.run(running, calls) })
	c.loops.Go(func() { counter.run(running, calls) })
	c.reads.Go(func() { c.listen(running) })
}

// listen passes on the hints that the group has changed until ctx ends.
func (c *Consumer) listen(ctx context.Context) {
	backoff := c.cfg.Backoff()
	for ctx.Err() == nil {
		began := c.cfg.Now()
		_ = c.cfg.Group.Wake(ctx, func() {
			c.enumerator.wake.raise()
			c.claimer.hint.raise()
		})
		if c.cfg.Now().Sub(began) > time.Minute {
			backoff.Reset()
		}
		_ = sleepOr(ctx, backoff.NextBackOff(), c.resubscribe) // hints only save time: trouble with them alone is none
	}
}

// read gives splits that were just claimed their first read, and their shards a fetcher. It does
// not wait for the read, which may take longer than anything else that the claimer does.
func (c *Consumer) startReads(owned []*ownedSplit) {
	shards := map[string][]*ownedSplit{}
	for _, o := range owned {
		shard := c.cfg.FetchGroup(o.lease.Split)
		shards[shard] = append(shards[shard], o)
	}
	c.reads.Go(func() { // ends with its reads
		for shard, added := range shards {
			c.fetcher(shard).readFirst(c.running, added)
		}
	})
}

// fetcher returns the fetcher of a shard; it is started when it is first asked for.
func (c *Consumer) fetcher(shard string) *fetcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fetchers[shard]
	if f == nil {
		f = &fetcher{
			group: shard, set: c.set, streams: c.cfg.Streams, cfg: c.cfg, health: c.health,
			room: c.set.roomSignal(shard), retryNow: newSignal(), spawn: c.reads.Go,
			exclusive: make(chan struct{}, 1),
		}
		f.exclusive <- struct{}{}
		c.fetchers[shard] = f
		c.reads.Go(func() { f.run(c.running) }) // ends with Close
	}
	return f
}

// retryNow cuts back-offs short when the store can be reached again.
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

// graceForTrouble is how long there may be trouble before Poll gives up waiting.
const unavailableAfter = time.Second

// Poll returns the next batch. It waits until there is one; until ctx ends (then its error); until
// the consumer is closed (ErrClosed); or, while there is nothing to hand out, until the store has
// been out of reach for a second (an *UnavailableError): the consumer goes on trying by itself, and
// Await tells when polling makes sense again.
func (c *Consumer) Poll(ctx context.Context) (*Batch, error) {
	began := c.cfg.Now()
	return c.set.poll(ctx, func() error {
		if c.cfg.Now().Sub(began) < unavailableAfter {
			return nil
		}
		if _, err := c.health.longestProblem(unavailableAfter); err != nil {
			return &UnavailableError{Cause: err}
		}
		return nil
	})
}

// Await waits until the group has been joined and the store can be reached, or there is something
// to hand out, or ctx ends: then it returns the trouble that there is, or ctx's error if there is
// none.
func (c *Consumer) Await(ctx context.Context) error {
	for {
		changed, err := c.health.longestProblem(0)
		if c.set.isClosed() {
			return ErrClosed
		}
		if c.set.hasReady() || (err == nil && c.enumerator.joinedGroup()) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errOr(err, ctx.Err())
		case <-changed:
		case <-c.enumerator.beaten:
		case <-time.After(awaitEvery):
		}
	}
}

// awaitEvery bounds how long Await does not look whether there is something to hand out.
const awaitEvery = 100 * time.Millisecond

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Owned returns how many splits the member holds.
func (c *Consumer) Owned() int { return c.set.count() }

// Close leaves the group, unless the member is static: nothing more is handed out, what was
// acknowledged is committed, every split is released, and only then are the reads joined, which
// can't be interrupted. It does not wait for batches that are out: their acknowledgements come to
// nothing from here on. Each step is bounded by Config.CallTimeout. Closing twice, or before Start,
// is fine.
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
