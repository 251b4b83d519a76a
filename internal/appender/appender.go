package appender

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// sweepEvery is the number of queues made between two sweeps for those that nobody uses any more.
const sweepEvery = 4096

// Backoff spaces the retries of one append. Only one goroutine uses it at a time.
type Backoff interface {
	// NextBackOff returns the time until the next attempt; negative: give up.
	NextBackOff() time.Duration
}

// Observer is told what happens beside the ordinary. Its methods are called by the writers, several
// at a time, without any lock.
type Observer interface {
	// Retried: an attempt failed with the result and the append is going to be sent again.
	Retried(Target, Result)
	// Deduplicated: the store had the records already and did not write them twice.
	Deduplicated(Target)
	// Gap: the store has lost appends that it had acknowledged, with so many records.
	Gap(Target, Lost)
	// RetriesEnded: an append that was sent more than once has its outcome. The error is nil if its
	// records are written. It is called after every Retried for that append.
	RetriesEnded(Target, error)
}

// Config says how an Appender works.
type Config struct {
	Log Log
	// Producer identifies this one Appender to the store: a random name, never used by another or a
	// later one. Empty: appends are not idempotent, and one that is retried after an unknown
	// outcome may be written twice.
	Producer string
	// Backoff makes the back-off of one append, at its first failure. Nil: nothing is retried.
	Backoff func() Backoff
	// MaxRetries is how often one append is sent again after a failed attempt; 0: as often as the
	// back-off allows.
	MaxRetries int
	// Observer may be nil.
	Observer Observer
}

// Appender writes records to partitions, those of each partition in the order of the calls. All its
// methods may be called concurrently.
type Appender struct {
	config Config
	// ctx is that of all requests; cancel ends them.
	ctx    context.Context
	cancel context.CancelFunc
	// running counts the writers' goroutines and the timers of back-offs.
	running sync.WaitGroup

	mu      sync.Mutex
	queues  map[string]*queue     // by Target.Key
	writers map[writerKey]*writer // there are few nodes, so they are never forgotten
	started bool
	closed  bool
	// forgotten is the highest epoch of any queue that was forgotten: a new queue begins above it.
	forgotten uint64
	// sweepAt is the number of queues at which to look for idle ones.
	sweepAt int
}

// New makes an Appender. Nothing is sent before Start.
func New(c Config) *Appender {
	ctx, cancel := context.WithCancel(context.Background())
	return &Appender{
		config: c, ctx: ctx, cancel: cancel,
		queues: map[string]*queue{}, writers: map[writerKey]*writer{}, sweepAt: sweepEvery,
	}
}

// Start begins to send. What was appended before goes out now. It does nothing the second time, or
// after Close.
func (a *Appender) Start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started = true
	for _, w := range a.writers {
		a.startWriter(w)
	}
}

// Append adds the records to the end of the partition's queue and returns without waiting for
// anything. Calls that happen one after the other are written in that order. The records belong to
// the Appender until Done of the Pending is closed. After Close they fail with ErrClosed.
func (a *Appender) Append(t Target, records []Record) *Pending {
	p := newPending(t, records)
	if len(records) == 0 {
		return p
	}
	node := a.config.Log.Node(t)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		p.failRest(ErrClosed)
		return p
	}
	q := a.queue(t.Key)
	q.push(p)
	if q.phase == idle {
		q.node = node
		a.schedule(q)
	}
	return p
}

// Close refuses new records and fails with ErrClosed those that are not on their way. It waits for
// the rounds that are, until ctx ends: then it cancels their requests, whose records fail with
// ErrClosed too unless they turn out to be written, and returns an error. All goroutines have ended
// when it returns. It may be called at any time and more than once.
func (a *Appender) Close(ctx context.Context) error {
	if !a.beginClose() {
		a.running.Wait() // back-off timers that were just going off
		a.cancel()
		return nil
	}
	inTime := context.AfterFunc(ctx, a.cancel)
	a.running.Wait()
	if !inTime() {
		return fmt.Errorf("closing the appender while appends were under way: %w", context.Cause(ctx))
	}
	a.cancel()
	return nil
}

// Finished returns the keys of the partitions whose numbers the store need not keep any more: the
// Appender was closed, and no request is on its way anywhere that the numbers would have to refuse.
func (a *Appender) Finished() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var keys []string
	for key, q := range a.queues {
		if a.closed && q.phase == idle && q.confirmed && !q.uncertain {
			keys = append(keys, key)
		}
	}
	return keys
}

// beginClose fails everything that is not in flight, and reports whether a writer is running.
func (a *Appender) beginClose() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, q := range a.queues {
		if q.timer != nil && q.timer.Stop() {
			a.running.Done()
		}
		if q.phase != inFlight {
			a.abort(q)
		}
		q.failAll(ErrClosed)
	}
	running := false
	for _, w := range a.writers {
		w.ready = nil
		running = running || w.running
	}
	return running
}

// abort ends the retries of a batch because the Appender is closed.
func (a *Appender) abort(q *queue) {
	if b := &q.batch; b.count > 0 {
		b.resolve(0, b.gaveUp(fmt.Errorf("%w; the last attempt: %w", ErrClosed, b.lastErr)))
	}
	q.stalled = false
	q.phase = idle
}

// queue returns the queue of the key. A new one begins with an epoch above that of any forgotten
// one, which may have been that of the same key.
func (a *Appender) queue(key string) *queue {
	q := a.queues[key]
	if q == nil {
		if len(a.queues) >= a.sweepAt {
			a.sweep()
		}
		q = &queue{sequence: sequence{epoch: a.forgotten + 1}, writer: len(a.queues) % writersPerNode}
		a.queues[key] = q
	}
	return q
}

// sweep forgets the queues that are idle and were so at the last sweep.
func (a *Appender) sweep() {
	for key, q := range a.queues {
		if q.phase == idle && !q.used {
			a.forgotten = max(a.forgotten, q.sequence.epoch)
			delete(a.queues, key)
		}
		q.used = false
	}
	a.sweepAt = len(a.queues) + sweepEvery
}

// schedule puts a queue on the list of its writer.
func (a *Appender) schedule(q *queue) {
	key := writerKey{q.node, q.writer}
	w := a.writers[key]
	if w == nil {
		w = &writer{owner: a}
		a.writers[key] = w
	}
	q.phase = ready
	w.ready = append(w.ready, q)
	a.startWriter(w)
}

// startWriter runs a writer that has work and isn't running. Its goroutine ends when the work is
// done, and Close joins it.
func (a *Appender) startWriter(w *writer) {
	if a.started && !a.closed && !w.running && len(w.ready) > 0 {
		w.running = true
		a.running.Go(w.run)
	}
}

// complete applies the decisions about a round and moves its queues on: to a writer, into the
// back-off, or to idle.
func (a *Appender) complete(round []*queue, answers []answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, q := range round {
		d := answers[i].decision
		answers[i].lost = q.missing(answers[i].result)
		q.apply(d)
		q.node = answers[i].node
		switch {
		case a.closed:
			a.abort(q)
		case d.next == backOff && d.delay > 0:
			a.backOff(q, d.delay)
		case d.next != finish || !q.empty():
			a.schedule(q)
		default:
			q.phase = idle
		}
	}
}

// backOff schedules a queue after a delay. Close stops or joins the timer.
func (a *Appender) backOff(q *queue, delay time.Duration) {
	q.phase = backingOff
	a.running.Add(1)
	q.timer = time.AfterFunc(delay, func() {
		defer a.running.Done()
		a.mu.Lock()
		defer a.mu.Unlock()
		if q.timer = nil; !a.closed {
			a.schedule(q)
		}
	})
}
