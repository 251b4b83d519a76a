package appender

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// sweepEvery is how many queues the Appender makes between two sweeps for unused queues.
const sweepEvery = 4096

// Backoff times the retries of one append. It is not used concurrently.
type Backoff interface {
	// NextBackOff returns the time until the next attempt. A negative time ends the retries.
	NextBackOff() time.Duration
}

// Observer is notified of failed attempts and losses. Writers call its methods concurrently,
// without holding a lock. All methods but Gap are called before callers of Append have the outcome.
type Observer interface {
	// Retried: an attempt failed with the result, and the append will be sent again.
	Retried(Target, Result)
	// Deduplicated: the store had the records of an append already and did not write them again.
	Deduplicated(Target)
	// Gap: the store lost records of appends that it had acknowledged.
	Gap(Target, Lost)
	// RetriesEnded: an append that was sent more than once has its outcome. The error is nil if its
	// records are written. RetriesEnded follows all calls of Retried for the append.
	RetriesEnded(Target, error)
}

// Config is the configuration of an Appender.
type Config struct {
	Store Store
	// Producer identifies this Appender to the store. It must be a random name that no other
	// Appender ever uses. If it is empty, appends are not idempotent: a retry after an unknown
	// outcome can write the records twice.
	Producer string
	// Backoff makes the Backoff of one append when its first attempt fails. Nil disables retries.
	Backoff func() Backoff
	// MaxRetries is the maximum number of retries of one append. 0 means that only the Backoff
	// limits them.
	MaxRetries int
	// Observer can be nil.
	Observer Observer
}

// Appender writes records to partitions. The records of one partition are written in the order of
// the calls. All methods can be called concurrently.
type Appender struct {
	config Config
	// ctx is the context of all requests; cancel ends them.
	ctx    context.Context
	cancel context.CancelFunc
	// running counts the goroutines of writers and the timers of back-offs.
	running sync.WaitGroup

	mu      sync.Mutex
	queues  map[string]*queue     // by Target.Key
	writers map[writerKey]*writer // there are few nodes, so they are never forgotten
	started bool
	closed  bool
	// forgotten is the highest epoch of all forgotten queues. New queues begin above it.
	forgotten uint64
	// sweepAt is the number of queues that starts the next sweep.
	sweepAt int
}

// New returns an Appender. It sends nothing before Start.
func New(c Config) *Appender {
	ctx, cancel := context.WithCancel(context.Background())
	return &Appender{
		config: c, ctx: ctx, cancel: cancel,
		queues: map[string]*queue{}, writers: map[writerKey]*writer{}, sweepAt: sweepEvery,
	}
}

// Start begins to send, including the records that were appended before. It does nothing if it is
// called again, or after Close.
func (a *Appender) Start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started = true
	for _, w := range a.writers {
		a.startWriter(w)
	}
}

// Append adds the records to the end of the partition's queue and returns immediately. Calls that
// happen one after the other are written in that order. The records belong to the Appender until
// Done of the Pending is closed. After Close they fail with ErrClosed.
func (a *Appender) Append(t Target, records []Record) *Pending {
	p := newPending(t, records)
	if len(records) == 0 {
		return p
	}
	node := a.config.Store.Node(t)
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

// Close rejects new records, and fails all records that are not in flight with ErrClosed. It waits
// for the rounds in flight. If ctx ends first, Close cancels their requests and returns an error;
// the records of these rounds fail with ErrClosed too, unless the store reports them as written.
// All goroutines have ended when Close returns. It can be called at any time and more than once.
func (a *Appender) Close(ctx context.Context) error {
	if !a.beginClose() {
		a.running.Wait() // back-off timers that were just going off
		a.cancel()
		return nil
	}
	inTime := context.AfterFunc(ctx, a.cancel)
	a.running.Wait()
	if !inTime() {
		return fmt.Errorf("closing the appender while appends were in flight: %w", context.Cause(ctx))
	}
	a.cancel()
	return nil
}

// Finished returns the keys of the partitions whose numbers the store can forget: the Appender is
// closed, and no request is on its way that the store would have to reject by its number.
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

// queue returns the queue of the key. A new queue begins with an epoch above those of all forgotten
// queues, one of which may have had the same key.
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

// sweep forgets the queues that are idle and were not used since the last sweep.
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

// complete applies the decisions about a round, and moves each queue on: to a writer, into the
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
