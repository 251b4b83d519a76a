// Package input is the Benthos batch input "rafka": a member of a consumer group of a topic.
//
// It parses its configuration, opens the clients, and turns batches of entries into batches of
// messages; everything that makes a consumer group is in package splits.
package input

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/outage"
	"github.com/rafka-streams/rafka/splits"
)

// Input reads a topic. The engine calls Connect and ReadBatch one at a time; acknowledgements come
// from any goroutine, and Close may run beside a ReadBatch.
type Input struct {
	settings *settings
	observer *observer

	// Connect's alone.
	connector *outage.Connector           // repeats the attempts to open a session
	backoff   *backoff.ExponentialBackOff // between these attempts
	reported  error                       // why the session can't go on, as Connect returned it
	at        time.Time                   // when it returned that
	// it has returned an error since it last succeeded: the engine's /ready gives the cause
	shown bool

	mu      sync.Mutex
	session *session
	closed  chan struct{}
}

var (
	_ service.BatchInput         = (*Input)(nil)
	_ service.ConnectionTestable = (*Input)(nil)
)

func newInput(s *settings, mgr *service.Resources) *Input {
	in := &Input{
		settings: s, observer: newObserver(s.topic, s.group, mgr), backoff: newBackoff(), closed: make(chan struct{}),
	}
	in.connector = &outage.Connector{
		Pause:         func() time.Duration { return min(in.backoff.NextBackOff(), s.consumer.Heartbeat) },
		ShortestQuiet: remindEvery, LongestQuiet: remindEvery, Same: told, Closed: in.closed,
	}
	return in
}

// Connect joins the group, or waits until the session that there is can go on: an outage of Redis
// never makes a second member.
func (in *Input) Connect(ctx context.Context) error {
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
		in.shown = err != nil
		return err
	}
}

// Looks of a Connect that waits for a session: the first comes soon, since the engine's /ready
// knows no cause until Connect returns it.
const (
	firstLook = 50 * time.Millisecond
	// repeatCause is the least time between two returns of the same cause if it concerns single
	// partitions: the others come and go, and the engine logs every return.
	repeatCause = 30 * time.Second
)

// lookForReason is how often an input that waits for its session looks whether the reason is still
// the one that the log was told.
const lookForReason = time.Second

// await waits until the session can go on. It returns why it can't, once for each reason.
func (in *Input) await(ctx context.Context, s *session) error {
	for look := firstLook; ; look = lookForReason {
		waiting, cancel := context.WithTimeout(ctx, look)
		err := s.consumer.Await(waiting)
		again := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !again || errors.Is(err, splits.ErrClosed) {
			return err
		}
		if errors.Unwrap(err) == nil && errors.Is(err, context.DeadlineExceeded) {
			continue // nothing is wrong: the group has yet to answer
		}
		if in.mustShow(err) {
			in.observer.shown(err)
			in.reported, in.at = err, time.Now()
			return service.NewErrBackOff(err, firstLook)
		}
		in.observer.unavailable(err)
	}
}

// mustShow reports whether Connect is to return the cause, for the engine's /ready and its log.
func (in *Input) mustShow(err error) bool {
	switch {
	case !told(in.reported, err):
		return true
	case in.shown:
		return false
	}
	return in.observer.storeTroubled() || time.Since(in.at) >= repeatCause
}

// remindEvery is how often the log is told that a session can't be opened while the reason stays
// the same.
const remindEvery = time.Minute

// open makes a session. It returns the first failure, and each one for another reason, immediately,
// and the next ones once a minute, as outage.Connector does.
func (in *Input) open(ctx context.Context) (*session, error) {
	var opened *session
	err := in.connector.Connect(ctx, func(ctx context.Context) (err error) {
		opened, err = openSession(ctx, in.settings, in.observer)
		return err
	})
	if err != nil {
		return nil, err
	}
	in.backoff.Reset()
	return in.keep(opened)
}

func (in *Input) current() *session {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.session
}

// isClosed reports whether Close was called. The lock is held.
func (in *Input) isClosed() bool {
	select {
	case <-in.closed:
		return true
	default:
		return false
	}
}

// keep makes a session the current one, or closes it if the input was closed meanwhile.
func (in *Input) keep(s *session) (*session, error) {
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

// ReadBatch waits for the next batch. It returns ErrNotConnected when Redis has been out of reach
// for a moment and there is nothing to hand out, so that the engine's readiness tells the truth.
func (in *Input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	s := in.current()
	if s == nil {
		return nil, nil, service.ErrNotConnected
	}
	b, err := s.consumer.Poll(ctx)
	var away *splits.UnavailableError
	switch {
	case errors.As(err, &away):
		in.observer.unavailable(away.Cause)
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
			b.Nack(err, suspects(b, err))
		}
		return nil
	}, nil
}

// Close leaves the group. It does not wait for acknowledgements: the engine delivers no more. It is
// safe before Connect and twice.
func (in *Input) Close(ctx context.Context) error {
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

// ConnectionTest reports whether the topic could be read, over a connection of its own.
func (in *Input) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	control, err := in.settings.connection.Open(config.Control(in.settings.consumer.Heartbeat))
	if err != nil {
		return service.ConnectionTestFailed(err).AsList()
	}
	err = broker.CheckReader(ctx, control, in.settings.topic, in.settings.group)
	if err == nil {
		in.observer.warn(broker.AskEviction(ctx, control).Warning)
		in.observer.warn(broker.LacksOfReader(ctx, control, in.settings.topic, in.settings.group))
		in.observer.missing(broker.Missing(ctx, control, in.settings.topic, in.settings.group))
	}
	if err := errors.Join(err, control.Close()); err != nil {
		return service.ConnectionTestFailed(err).AsList()
	}
	return service.ConnectionTestSucceeded().AsList()
}
