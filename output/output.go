package output

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/outage"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

const (
	// connectPause is the time between two attempts to connect.
	connectPause = 500 * time.Millisecond
	// shortestQuiet and longestQuiet bound the time between two reports that connecting still
	// fails.
	shortestQuiet = time.Second
	longestQuiet  = 30 * time.Second
)

// output is the Benthos batch output. The engine calls WriteBatch concurrently, and Connect at any
// time but not concurrently with itself.
type output struct {
	settings *settings
	mgr      *service.Resources
	log      *service.Logger
	closed   chan struct{}
	// connector repeats the attempts of Connect. After WriteBatch returned ErrNotConnected, it
	// reports the next failure in any case, because the engine's /ready does not show the cause any
	// more.
	connector *outage.Connector

	mu sync.Mutex
	// session is opened by the first Connect. Close removes it.
	session *session
}

func newOutput(set *settings, mgr *service.Resources) *output {
	closed := make(chan struct{})
	return &output{
		settings: set, mgr: mgr, log: mgr.Logger(), closed: closed,
		connector: &outage.Connector{
			Pause:         func() time.Duration { return connectPause },
			ShortestQuiet: shortestQuiet, LongestQuiet: longestQuiet, Closed: closed,
		},
	}
}

// Connect opens the client if it is not open yet. It returns nil when the server answers and
// stream_name can be written to; a stream_name that depends on the message is not checked. Connect
// returns the first failure immediately and further ones now and then, see outage.Connector.
func (o *output) Connect(ctx context.Context) error {
	return o.connector.Connect(ctx, o.tryConnect)
}

func (o *output) tryConnect(ctx context.Context) error {
	s, err := o.open()
	if err != nil {
		return rediserr.Explain(err)
	}
	return rediserr.Explain(s.connect(ctx))
}

// open returns the session, and opens it if there is none.
func (o *output) open() (*session, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.closed:
		return nil, outage.ErrClosed
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

// WriteBatch writes the messages and returns when each of them is written or has failed. A
// service.BatchError names the failed messages, unless the engine could confuse them with others.
// WriteBatch returns service.ErrNotConnected if the server is not available. The engine then calls
// Connect, and WriteBatch with the same batch, which continues where this call stopped.
func (o *output) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	err := o.write(ctx, batch)
	if errors.Is(err, service.ErrNotConnected) {
		o.connector.ReportNext()
	}
	return err
}

func (o *output) write(ctx context.Context, batch service.MessageBatch) error {
	if ctx.Err() != nil {
		return ctx.Err() // the engine does not wait for the batch any more
	}
	s := o.current()
	if s == nil {
		return service.ErrNotConnected
	}
	j := s.suspended.resume(batch)
	if j == nil {
		if s.health.isBlocked() {
			return service.ErrNotConnected
		}
		j = s.prepare(batch)
	}
	if err := j.run(ctx, s); errors.Is(err, errDisconnected) {
		s.suspended.suspend(batch, j)
		return service.ErrNotConnected
	} else if err != nil {
		return err
	}
	return j.result(batch, o.settings.batchingProcessors)
}

// Close fails all records that are not in flight, waits at most closeTimeout for those that are,
// and closes the client. It can be called at any time and more than once.
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

// ConnectionTest makes the same checks as Connect, with a separate client.
func (o *output) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	if err := o.testConnection(ctx); err != nil {
		return service.ConnectionTestFailed(rediserr.Explain(err)).AsList()
	}
	return service.ConnectionTestSucceeded().AsList()
}

func (o *output) testConnection(ctx context.Context) error {
	client, err := o.settings.connection.Open(config.Writer())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // the client was opened for this test only
	if err := access.CheckServer(ctx, client); err != nil {
		return err
	}
	if o.settings.topic != "" {
		if err := access.CheckWriter(ctx, client, o.settings.topic, o.settings.partitions); err != nil {
			return err
		}
	}
	for _, warning := range o.settings.warnings(ctx, client) {
		o.log.Warn(warning)
	}
	return nil
}
