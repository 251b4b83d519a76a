package output

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
)

// errClosed is the answer of Connect after Close.
var errClosed = errors.New("the output is closed")

// output is the Benthos batch output. The engine calls WriteBatch from many goroutines, and Connect
// beside them, one at a time.
type output struct {
	settings *settings
	mgr      *service.Resources
	log      *service.Logger
	closed   chan struct{}
	// asked says that WriteBatch has had the engine connect since Connect last returned: the
	// engine's /ready has lost the cause then.
	asked atomic.Bool

	mu sync.Mutex
	// session is made by the first Connect and taken by Close.
	session *session
	// pace is how long Connect tries before it reports that it still failed.
	pace pace
}

func newOutput(set *settings, mgr *service.Resources) *output {
	return &output{settings: set, mgr: mgr, log: mgr.Logger(), closed: make(chan struct{})}
}

// Connect opens the client unless that was done before, and returns nil when the server answers and
// stream_name, unless it depends on the message, can be written to. It reports its first failure at
// once and goes on trying the next times, so that the log has few lines and an outage is over as
// soon as the server is back.
func (o *output) Connect(ctx context.Context) error {
	report := time.Now().Add(o.nextPace())
	for {
		err := o.tryConnect(ctx)
		switch {
		case err == nil:
			o.mu.Lock()
			o.pace = pace{}
			o.mu.Unlock()
			return nil
		case errors.Is(err, errClosed):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case o.asked.Swap(false), !time.Now().Add(connectPause).Before(report):
			return service.NewErrBackOff(broker.Explain(err), connectPause)
		}
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return ctx.Err()
		case <-o.closed:
			return errClosed
		}
	}
}

func (o *output) tryConnect(ctx context.Context) error {
	s, err := o.open()
	if err != nil {
		return err
	}
	return s.connect(ctx)
}

// open returns the session, which it makes if there is none.
func (o *output) open() (*session, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.closed:
		return nil, errClosed
	default:
	}
	if o.session == nil {
		s, err := openSession(o.settings, o.mgr)
		if err != nil {
			return nil, err
		}
		o.session = s
	}
	return o.session, nil
}

func (o *output) current() *session {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.session
}

func (o *output) nextPace() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pace.next()
}

// WriteBatch writes the messages and returns when each of them is written or has failed; those that
// failed are named in a service.BatchError, unless the engine would mistake which they are. It
// returns service.ErrNotConnected if the server can't be reached: the engine then calls Connect,
// and WriteBatch with the same batch, which goes on where this call stopped.
func (o *output) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	err := o.write(ctx, batch)
	if errors.Is(err, service.ErrNotConnected) {
		o.asked.Store(true)
	}
	return err
}

func (o *output) write(ctx context.Context, batch service.MessageBatch) error {
	if ctx.Err() != nil {
		return ctx.Err() // the engine has given the batch up already
	}
	s := o.current()
	if s == nil {
		return service.ErrNotConnected
	}
	j := s.parking.claim(batch)
	if j == nil {
		if s.health.unfit() {
			return service.ErrNotConnected
		}
		j = s.prepare(batch)
	}
	if err := j.run(ctx, s); errors.Is(err, errAway) {
		s.parking.park(batch, j)
		return service.ErrNotConnected
	} else if err != nil {
		return err
	}
	return j.result(batch, o.settings.batchingProcessors)
}

// Close fails what is not written yet, waits at most five seconds for what is under way, and closes
// the client. It may be called at any time and more than once.
func (o *output) Close(ctx context.Context) error {
	o.mu.Lock()
	s := o.session
	o.session = nil
	select {
	case <-o.closed:
	default:
		close(o.closed)
	}
	o.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.close(ctx)
}

// ConnectionTest checks, with a client of its own, what Connect checks.
func (o *output) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	if err := o.testConnection(ctx); err != nil {
		return service.ConnectionTestFailed(broker.Explain(err)).AsList()
	}
	return service.ConnectionTestSucceeded().AsList()
}

func (o *output) testConnection(ctx context.Context) error {
	client, err := o.settings.connection.Open(config.Writer())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // it was for this test alone
	if err := broker.CheckServer(ctx, client); err != nil {
		return err
	}
	if o.settings.topic != "" {
		if err := broker.CheckWriter(ctx, client, o.settings.topic, o.settings.partitions); err != nil {
			return err
		}
	}
	for _, warning := range o.settings.warnings(ctx, client) {
		o.log.Warn(warning)
	}
	return nil
}
