package input

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// The back-offs of a session, and those between attempts to open one, double within these bounds.
const (
	firstBackoff   = 100 * time.Millisecond
	longestBackoff = 30 * time.Second
)

func newBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstBackoff),
		backoff.WithMaxInterval(longestBackoff),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
}

// failures is shared by all inputs of the process: an output can merge batches of several inputs
// and reject all of them because of one message.
var failures = splits.NewFailures()

// session is one membership of the group: the clients and the consumer that uses them. It outlives
// outages of Redis.
type session struct {
	clients  clients
	consumer consumer
}

// clients are the clients of a session.
type clients struct {
	control, blocking config.Client
	letters           config.Client // nil if no dead letters are written
}

// close closes the clients that are open.
func (c clients) close() error {
	var errs []error
	for _, client := range []config.Client{c.control, c.blocking, c.letters} {
		if client != nil {
			errs = append(errs, client.Close())
		}
	}
	return errors.Join(errs...)
}

// consumer is a running member of a consumer group or of a share group.
type consumer interface {
	Start()
	Poll(ctx context.Context) (*splits.Batch, error)
	Await(ctx context.Context) error
	Owned() int
	Close(ctx context.Context) error
}

// readsAtOnce is the number of concurrent reads of a consumer on one server: one that blocks until
// entries arrive, and one that does not wait for the first.
const readsAtOnce = 2

// openSession connects, checks that the topic can be read, and joins the group. If it fails, it
// leaves nothing open.
func openSession(ctx context.Context, s *settings, o *observer) (*session, error) {
	control, err := openChecked(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := s.checkAdoption(ctx, control); err != nil {
		return nil, errors.Join(err, control.Close())
	}
	all, err := s.openOthers(control)
	if err != nil {
		return nil, errors.Join(err, all.close())
	}
	eviction := access.QueryEviction(ctx, control)
	o.names(func(ctx context.Context, err error) error { return access.NameDenied(ctx, control, err) })
	o.warn(eviction.Warning)
	o.warn(s.missingOptional(ctx, control))
	o.warn(s.missingForLetters(ctx, control))
	o.missing(access.NotCreatedYet(ctx, control, s.topic, s.group))
	var member consumer
	if s.share {
		member = newShareConsumer(s, o, all, eviction.ExpiringKeys)
	} else if member, err = newConsumer(ctx, s, o, all, eviction.ExpiringKeys); err != nil {
		return nil, errors.Join(o.named(err), all.close())
	}
	member.Start()
	return &session{clients: all, consumer: member}, nil
}

// openOthers returns the clients of a session of which one is open. The caller closes them, also
// after an error.
func (s *settings) openOthers(control config.Client) (all clients, err error) {
	all.control = control
	if all.blocking, err = s.connection.Open(config.Blocking(readsAtOnce)); err != nil || s.letters == "" {
		return all, err
	}
	all.letters, err = s.connection.Open(config.Writer())
	return all, err
}

// newConsumer returns a member of a consumer group. keep is true if Redis must keep unused keys.
func newConsumer(ctx context.Context, s *settings, o *observer, all clients, keep bool) (consumer, error) {
	log := broker.NewLog(all.blocking, all.control)
	cfg := s.consumer
	group := broker.NewGroup(all.control, s.topic, s.group, broker.KeepUnused(keep))
	var err error
	if cfg.Member, cfg.Owner, err = memberNames(ctx, s, group); err != nil {
		return nil, err
	}
	cfg.Group = group
	leases := broker.NewLeases(all.control, broker.LeasesOptions{
		Topic: s.topic, Group: s.group, KeepUnused: keep, Warn: o.mirrorWarning,
	})
	cfg.Leases, cfg.Node = leases, leases.Node
	cfg.Adoptions = broker.NewAdoptions(all.blocking, all.control, s.group, keep)
	cfg.Streams, cfg.FetchGroup = log, log.Shard
	cfg.OrderKey = keyField(s.orderKey)
	cfg.PassOver = s.forOthers
	cfg.Failures = failures
	cfg.DeadLetters = s.deadLetters(all.letters)
	cfg.Backoff = func() splits.Backoff { return newBackoff() }
	cfg.Observer = o
	cfg.Remedies = splits.Remedies{
		Stopped:    "on_data_loss is fail: move the group with rafka group seek, or set on_data_loss to continue",
		Superseded: supersededRemedy,
	}
	return splits.NewConsumer(cfg), nil
}

const supersededRemedy = "If both inputs are to run, give each an instance_id of its own"

// enroller is a group that numbers the incarnations of static members.
type enroller interface {
	Enroll(ctx context.Context, member, unique string) (owner string, err error)
}

// memberNames returns the names of a new session: a new member, or the next incarnation of a static
// member. It returns the member and the owner of its leases.
func memberNames(ctx context.Context, s *settings, group enroller) (member, owner string, err error) {
	if s.instance == "" {
		return "rafka/" + s.name + "/" + rand.Text(), "", nil
	}
	member = "rafka/" + s.instance
	owner, err = group.Enroll(ctx, member, rand.Text())
	return member, owner, err
}

// openChecked opens a control client and checks that the server has what rafka needs and that the
// topic can be read.
func openChecked(ctx context.Context, s *settings) (config.Client, error) {
	control, err := s.connection.Open(config.Control(s.consumer.Heartbeat))
	if err != nil {
		return nil, err
	}
	err = s.checkAccess(ctx, control)
	// A key of another type affects one partition: the consumer reports it and reads the others.
	if err == nil || rediserr.Classify(err) == rediserr.ClassWrongType {
		err = s.checkLettersAtStart(ctx, control)
	}
	if err != nil {
		return nil, errors.Join(err, control.Close())
	}
	return control, nil
}

// close leaves the group and closes the clients.
func (s *session) close(ctx context.Context) error {
	return errors.Join(s.consumer.Close(ctx), s.clients.close())
}

func (o *observer) mirrorWarning(_ splits.Split, message string) { o.log.Warn(message) }

// missing logs what does not exist yet, if anything. That is not a failure.
func (o *observer) missing(message string) {
	if message != "" {
		o.log.Info(message)
	}
}

// warn logs a warning, if there is one.
func (o *observer) warn(message string) {
	if message != "" {
		o.log.Warn(message)
	}
}
