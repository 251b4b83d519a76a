package output

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

const (
	// producerTTL is how long Redis keeps the sequence of an idle output.
	producerTTL = 24 * time.Hour
	// closeTimeout limits how long Close waits for appends in flight.
	closeTimeout = 5 * time.Second
	// forgetTimeout limits how long Close takes to delete the producer state afterwards.
	forgetTimeout = time.Second
	// checkTimeout limits the check of one partition. With a deadline, the client does not repeat a
	// request to a node that does not answer.
	checkTimeout = 10 * time.Second
)

// session has the client and everything that uses it. Connect opens it and Close closes it. It
// stays open while the connection is interrupted.
type session struct {
	settings    *settings
	recorder    *recorder
	partitioner *partitioner
	topics      *topics
	appender    *appender.Appender
	observer    *observer
	health      *health
	suspended   *suspendedJobs
	order       *reorderDetector
	// warnings returns problems of the server and of the user's permissions that do not prevent
	// writing.
	warnings    func(ctx context.Context) []string
	closeClient func() error
	// named adds the permissions that the user lacks to an error, if the server did not name them.
	named func(ctx context.Context, err error) error
	// forget deletes the state of this output's producer in Redis.
	forget func(ctx context.Context, keys []string) error

	warned bool // used by Connect only
}

// openSession opens the client, without connecting yet, and starts the appender.
func openSession(set *settings, mgr *service.Resources) (*session, error) {
	client, err := set.connection.Open(config.Writer())
	if err != nil {
		return nil, err
	}
	s := &session{
		settings:    set,
		recorder:    &recorder{bodyKey: set.bodyKey, metadata: set.metadata, limit: set.maxMessageBytes},
		partitioner: newPartitioner(set.partitioner),
		topics:      newTopics(broker.NewTopics(client), set.partitions, mgr.Logger()),
		health: newHealth(checks{
			server: func(ctx context.Context) error { return access.CheckServer(ctx, client) },
			topic: func(ctx context.Context, topic string) error {
				return access.CheckWriter(ctx, client, topic, set.partitions)
			},
			partition: func(ctx context.Context, t appender.Target) error {
				ctx, cancel := context.WithTimeout(ctx, checkTimeout)
				defer cancel()
				return access.CheckPartition(ctx, client, t)
			},
			node: func(t appender.Target) string { return broker.NodeOf(client, t) },
		}, set.topic),
		suspended:   newSuspendedJobs(),
		order:       newReorderDetector(),
		warnings:    func(ctx context.Context) []string { return set.warnings(ctx, client) },
		closeClient: client.Close,
		named:       func(ctx context.Context, err error) error { return access.NameDenied(ctx, client, err) },
	}
	s.observer = newObserver(mgr, s.topics.expire)
	appends := broker.NewAppends(client, broker.AppendOptions{
		ProducerTTL: producerTTL, MaxLength: set.maxLength, MaxAge: set.maxAge,
		TrimFailed: s.observer.trimFailed,
	})
	producer := set.producer()
	s.forget = func(ctx context.Context, keys []string) error { return appends.Forget(ctx, producer, keys) }
	s.appender = appender.New(appender.Config{
		Store:    appends,
		Producer: producer,
		Backoff:  set.retry.newBackoff(s.suspended.any),
		Observer: s.observer,
	})
	s.appender.Start() // close ends it
	return s, nil
}

// producer returns a random name for one appender, which Redis stores with its sequence numbers. It
// returns "" for writing without sequence numbers.
func (s *settings) producer() string {
	if !s.idempotent {
		return ""
	}
	return rand.Text()
}

// connect checks whether the output can write, and creates the topic if the field partitions is
// set.
func (s *session) connect(ctx context.Context) error {
	if err := s.health.connect(ctx); err != nil {
		return err
	}
	if s.settings.topic != "" {
		topic, err := s.topics.refresh(ctx, s.settings.topic)
		if err != nil {
			return s.named(ctx, err)
		}
		s.observer.startAtZero(topic)
	}
	if !s.warned {
		s.warned = true
		for _, warning := range s.warnings(ctx) {
			s.observer.log.Warn(warning)
		}
	}
	return nil
}

// warnings returns problems of the server and of the user's permissions that do not prevent
// writing.
func (s *settings) warnings(ctx context.Context, client config.Client) []string {
	all := []string{access.QueryEviction(ctx, client).Warning}
	if s.topic != "" {
		all = append(all, access.MissingOptionalForWriter(ctx, client, s.topic, s.maxLength > 0 || s.maxAge > 0))
	}
	return slices.DeleteFunc(all, func(warning string) bool { return warning == "" })
}

// findTopic looks up a topic, with the same retries as an append. It returns errDisconnected if the
// server is not available, or the error of the topic.
func (s *session) findTopic(ctx context.Context, name string) (broker.Topic, error) {
	retries := s.settings.retry.newRetryBackoff(s.suspended.any, time.Now)
	for {
		topic, err := s.topics.get(ctx, name)
		if err == nil || isPermanent(err) {
			return topic, rediserr.Explain(s.named(ctx, err))
		}
		if s.health.topicDown(ctx, name) {
			return topic, errDisconnected
		}
		wait := retries.NextBackOff()
		if wait < 0 {
			return topic, rediserr.Explain(err)
		}
		if err := sleep(ctx, wait); err != nil {
			return topic, err
		}
	}
}

// await waits for the outcome of a sent batch. While the appender retries the batch, await checks
// now and then whether the server is available, and returns errDisconnected if it is not.
func (s *session) await(ctx context.Context, b sentBatch) error {
	select {
	case <-b.pending.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.pending.Stalled():
	}
	again := time.NewTicker(stallCheckInterval)
	defer again.Stop()
	for {
		select {
		case <-b.pending.Done():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
			if s.health.partitionDown(ctx, b.target) {
				return errDisconnected
			}
		}
	}
}

// close fails all records that are not in flight, waits at most closeTimeout for those that are,
// and closes the client. If all outcomes are known, it deletes the state of the producer, so only
// entries stay in Redis.
func (s *session) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := s.appender.Close(ctx)
	if err == nil && s.settings.idempotent && !s.suspended.any() {
		s.cleanUp(ctx)
	}
	return errors.Join(err, s.closeClient())
}

// cleanUp deletes the state of this output's producer, which would stay for producerTTL.
func (s *session) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	if err := s.forget(ctx, s.appender.Finished()); err != nil {
		s.observer.log.Debugf(
			"The producer state of this output stays in Redis for %s, because deleting it failed: %v",
			producerTTL,
			err,
		)
	}
}

// sleep waits for d. It returns the error of ctx if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
