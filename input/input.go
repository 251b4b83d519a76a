// Package input is the Benthos batch input "rafka": a member of a consumer group of a topic.
//
// It parses its configuration, opens the clients, and makes messages of entries. Package splits
// holds the logic of consumer groups.
package input

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/outage"
	"github.com/rafka-streams/rafka/splits"
)

// input reads a topic. The engine makes one call of Connect or ReadBatch at a time.
// Acknowledgements come from any goroutine, and Close can run during a ReadBatch.
type input struct {
	settings *settings
	observer *observer

	// Connect alone uses these.
	connector *outage.Connector           // repeats the attempts to open a session
	backoff   *backoff.ExponentialBackOff // between these attempts
	reported  outage.Causes               // what Connect returned for a session that waits
	// causeShown is true if Connect has returned an error since its last success: the engine's
	// /ready shows that error.
	causeShown bool

	mu      sync.Mutex
	session *session
	closed  chan struct{}
}

var (
	_ service.BatchInput         = (*input)(nil)
	_ service.ConnectionTestable = (*input)(nil)
)

func newInput(s *settings, mgr *service.Resources) *input {
	in := &input{
		settings: s, observer: newObserver(s.topic, s.group, mgr), backoff: newBackoff(), closed: make(chan struct{}),
		reported: outage.Causes{Same: sameReport, Memory: repeatCause},
	}
	in.observer.letters, in.observer.maxDeliveries = s.letters, s.consumer.DeadLetters.MaxDeliveries
	in.connector = &outage.Connector{
		Pause:         func() time.Duration { return min(in.backoff.NextBackOff(), s.consumer.Heartbeat) },
		ShortestQuiet: remindEvery, LongestQuiet: remindEvery, Same: sameReport, Closed: in.closed,
	}
	return in
}

// Connect joins the group, or waits until the existing session can continue: an outage of Redis
// never makes a second member.
func (in *input) Connect(ctx context.Context) error {
	s := in.current()
	if s == nil {
		var err error
		if s, err = in.open(ctx); errors.Is(err, outage.ErrClosed) {
			return service.ErrEndOfInput
		} else if err != nil {
			return err
		}
	}
	switch err := in.await(ctx, s); {
	case errors.Is(err, splits.ErrClosed):
		return service.ErrEndOfInput
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	default:
		in.causeShown = err != nil
		return err
	}
}

const (
	// firstCheck is how long Connect waits for a session before it returns why the session waits.
	// It is short because the engine's /ready shows no cause until Connect has returned one.
	firstCheck = 50 * time.Millisecond
	// laterCheck is how often Connect checks the cause after that.
	laterCheck = time.Second
	// repeatCause is the least time between two returns of the same cause. The engine logs each
	// return, the requests of one outage can fail in several ways by turns, and if the cause
	// concerns single partitions, the other partitions connect and disconnect meanwhile.
	repeatCause = 30 * time.Second
)

// await waits until the session can continue. It returns each new cause for which the session
// can't.
func (in *input) await(ctx context.Context, s *session) error {
	for wait := firstCheck; ; wait = laterCheck {
		waiting, cancel := context.WithTimeout(ctx, wait)
		err := s.consumer.Await(waiting)
		again := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !again || errors.Is(err, splits.ErrClosed) {
			return err
		}
		if errors.Unwrap(err) == nil && errors.Is(err, context.DeadlineExceeded) {
			continue // nothing failed: the group has not answered yet
		}
		if in.mustReport(err) {
			in.observer.causeLogged(err)
			in.reported.Add(err, time.Now())
			return service.NewErrBackOff(in.observer.named(err), firstCheck)
		}
		in.observer.unavailable(err)
	}
}

// mustReport reports whether Connect must return the cause, for the engine's /ready and its log.
func (in *input) mustReport(err error) bool {
	age, last := in.reported.Find(err, time.Now())
	switch {
	case age >= repeatCause:
		return !last || !in.causeShown
	case in.causeShown:
		return false
	}
	return in.observer.storeFailing()
}

// remindEvery is how often a failure is logged again while its cause stays the same.
const remindEvery = time.Minute

// open opens a session. It returns the first failure and each failure with a new cause immediately,
// and repeats the attempt in between, as outage.Connector describes.
func (in *input) open(ctx context.Context) (*session, error) {
	var opened *session
	err := in.connector.Connect(ctx, func(ctx context.Context) (err error) {
		opened, err = openSession(ctx, in.settings, in.observer)
		return err
	})
	if err != nil {
		return nil, err
	}
	in.backoff.Reset()
	return in.setSession(opened)
}

func (in *input) current() *session {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.session
}

// isClosed reports whether Close was called. The lock is held.
func (in *input) isClosed() bool {
	select {
	case <-in.closed:
		return true
	default:
		return false
	}
}

// setSession makes the session the current one, or closes it if the input was closed meanwhile.
func (in *input) setSession(s *session) (*session, error) {
	in.mu.Lock()
	closed := in.isClosed()
	if !closed {
		in.session = s
	}
	in.mu.Unlock()
	if closed {
		_ = s.close(context.Background()) // the session ends either way
		return nil, outage.ErrClosed
	}
	return s, nil
}

// ReadBatch waits for the next batch. It returns ErrNotConnected if Redis has been unreachable for
// a moment and nothing is buffered, so that the engine reports the input as not ready.
func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	s := in.current()
	if s == nil {
		return nil, nil, service.ErrNotConnected
	}
	b, err := s.consumer.Poll(ctx)
	var unavailable *splits.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		in.observer.unavailable(unavailable.Cause)
		return nil, nil, service.ErrNotConnected
	case errors.Is(err, splits.ErrClosed):
		return nil, nil, service.ErrEndOfInput
	case err != nil:
		return nil, nil, err
	}
	return messages(b, in.settings.bodyKey), func(_ context.Context, err error) error {
		if err == nil {
			b.Ack()
		} else {
			b.Nack(causeOf(b, err), suspects(b, err))
		}
		return nil
	}, nil
}

// Close leaves the group. It does not wait for acknowledgements, since the engine delivers none
// after it. Close can be called before Connect, and more than once.
func (in *input) Close(ctx context.Context) error {
	in.mu.Lock()
	s := in.session
	closed := in.isClosed()
	if !closed {
		close(in.closed)
	}
	in.mu.Unlock()
	if s == nil || closed {
		return nil
	}
	defer in.observer.closed()
	return s.close(ctx)
}

// ConnectionTest checks over a connection of its own whether the topic can be read.
func (in *input) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	control, err := in.settings.connection.Open(config.Control(in.settings.consumer.Heartbeat))
	if err != nil {
		return service.ConnectionTestFailed(err).AsList()
	}
	if err = in.settings.checkAccess(ctx, control); err == nil {
		err = in.settings.checkLetters(ctx, control)
	}
	if err == nil {
		in.observer.warn(access.QueryEviction(ctx, control).Warning)
		in.observer.warn(in.settings.missingOptional(ctx, control))
		in.observer.warn(in.settings.missingForLetters(ctx, control))
		if err := in.settings.checkAdoption(ctx, control); err != nil { // the group can come until the start
			in.observer.warn(err.Error())
		}
		in.observer.missing(access.NotCreatedYet(ctx, control, in.settings.topic, in.settings.group))
	}
	if err := errors.Join(err, control.Close()); err != nil {
		return service.ConnectionTestFailed(err).AsList()
	}
	return service.ConnectionTestSucceeded().AsList()
}
