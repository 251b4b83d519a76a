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
	// producerTTL is how long Redis remembers the sequence of an output that writes nothing.
	producerTTL = 24 * time.Hour
	// closeTimeout bounds the wait for appends that are under way when the output is closed.
	closeTimeout = 5 * time.Second
	// forgetTimeout bounds the clean-up after that.
	forgetTimeout = time.Second
	// checkTimeout bounds the check of one partition: with a deadline, a node that does not answer
	// is asked once and not again.
	checkTimeout = 10 * time.Second
)

// session is what Connect opens and Close closes: the client and all that works with it. It
// outlives interruptions of the connection.
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
	// warnings are what is wrong with the server and the user that the output can do with.
	warnings    func(ctx context.Context) []string
	closeClient func() error
	// named returns an error with the permissions that the user lacks, if the server does not name them.
	named func(ctx context.Context, err error) error
	// forget drops what Redis knows of this output as a producer.
	forget func(ctx context.Context, keys []string) error

	warned bool // Connect's alone
}

// openSession opens the client, which dials nothing yet, and starts the appender.
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
		Log:      appends,
		Producer: producer,
		Backoff:  set.retry.newBackoff(s.suspended.any),
		Observer: s.observer,
	})
	s.appender.Start() // ended by close
	return s, nil
}

// producer names one appender to Redis: at random, so that no two are ever the same. "" stands for
// writing without sequence numbers.
func (s *settings) producer() string {
	if !s.idempotent {
		return ""
	}
	return rand.Text()
}

// connect tests whether everything can be written, and creates the topic if that is asked for.
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

// warnings are what is wrong with the server and with the user of the client that the output can do
// with.
func (s *settings) warnings(ctx context.Context, client config.Client) []string {
	all := []string{access.AskEviction(ctx, client).Warning}
	if s.topic != "" {
		all = append(all, access.LacksOfWriter(ctx, client, s.topic, s.maxLength > 0 || s.maxAge > 0))
	}
	return slices.DeleteFunc(all, func(warning string) bool { return warning == "" })
}

// findTopic looks up a topic, with retries like those of an append. It returns errAway if the
// server does not answer, or what is wrong with the topic.
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

// await waits for the outcome of an append. While the append is being retried it asks now and then
// whether the server is there, and returns errAway if not.
func (s *session) await(ctx context.Context, f sentBatch) error {
	select {
	case <-f.pending.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-f.pending.Stalled():
	}
	again := time.NewTicker(stallCheckInterval)
	defer again.Stop()
	for {
		select {
		case <-f.pending.Done():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
			if s.health.partitionDown(ctx, f.target) {
				return errDisconnected
			}
		}
	}
}

// close fails what is not written yet, waits a limited time for what is under way, and closes the
// client. If the outcome of everything is known, nothing of this output but its entries stays in
// Redis.
func (s *session) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := s.appender.Close(ctx)
	if err == nil && s.settings.idempotent && !s.suspended.any() {
		s.cleanUp(ctx)
	}
	return errors.Join(err, s.closeClient())
}

// cleanUp drops the state of this output's appends, which would stay for producerTTL.
func (s *session) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	if err := s.forget(ctx, s.appender.Finished()); err != nil {
		s.observer.log.Debugf("The producer state of this output stays in Redis for %s, because deleting it failed: %v", producerTTL, err)
	}
}

// sleep waits, or returns the error of ctx if that ends before.
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
