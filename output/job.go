package output

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
)

// errAway says that a job is not finished and that it is for the engine to wait for the connection.
var errAway = errors.New("the connection is away")

const (
	// stallGrace is how long a job waits for the appender's own retries before it asks whether the
	// server is there at all, and then how often it asks.
	stallGrace = time.Second
	// maxRoutes is how often a message is routed before it fails, if its topic looks different at
	// every append.
	maxRoutes = 5
)

// job is one batch on its way: the outcome of each message so far, and what is still to be done.
// One WriteBatch at a time works on it; when that one leaves because the connection is away, the
// job is parked until the engine brings the same batch again.
type job struct {
	messages []outgoing
	// errs has the outcome of each message that has one; a message that has none is unrouted, under
	// way or written.
	errs []error
	// unrouted are the places of the messages that wait to be routed, ascending.
	unrouted []int
	// routes counts how often messages were routed.
	routes int
	// flights are the appends that are under way.
	flights []flight
}

// flight is a cut that was handed to the appender.
type flight struct {
	*cut
	pending *appender.Pending
}

// newJob wraps the prepared messages; errs holds the errors of those that can't be written.
func newJob(messages []outgoing, errs []error) *job {
	j := &job{messages: messages, errs: errs, unrouted: make([]int, 0, len(messages))}
	for i, err := range errs {
		if err == nil {
			j.unrouted = append(j.unrouted, i)
		}
	}
	return j
}

// run works until every message has its outcome and returns nil then; errAway if the server does
// not answer, or the error of ctx. It goes on where it stopped when it is called again.
func (j *job) run(ctx context.Context, s *session) error {
	for {
		if err := j.route(ctx, s); err != nil {
			return err
		}
		if err := j.settle(ctx, s); err != nil {
			return err
		}
		if len(j.unrouted) == 0 {
			return nil
		}
		slices.Sort(j.unrouted)
		if j.routes == maxRoutes {
			j.fail(
				fmt.Errorf(
					"the topic changed between plain and partitioned %d times while it was written to",
					maxRoutes,
				),
			)
			return nil
		}
	}
}

// fail ends the messages that are not routed.
func (j *job) fail(err error) {
	for _, i := range j.unrouted {
		j.errs[i] = err
	}
	j.unrouted = nil
}

// route looks up the topics of the unrouted messages and hands the messages to the appender. Only
// the lookups talk to the server, and nothing is handed over before all of them were answered:
// otherwise messages of one batch could overtake each other.
func (j *job) route(ctx context.Context, s *session) error {
	if len(j.unrouted) == 0 {
		return nil
	}
	found, err := j.lookUp(ctx, s)
	if err != nil {
		return err
	}
	if err := j.lookAgain(ctx, s, found); err != nil {
		return err
	}
	cutter := newCutter(s.partitioner)
	for _, i := range j.unrouted {
		m := j.messages[i]
		if topic := found[m.topic]; topic.err != nil {
			s.health.failed(m.topic, topic.err)
			j.errs[i] = topic.err
		} else if err := cutter.add(i, m, topic.Topic); err != nil {
			j.errs[i] = err
		}
	}
	j.unrouted = nil
	j.routes++
	for _, c := range cutter.cuts {
		j.flights = append(j.flights, flight{cut: c, pending: s.appender.Append(c.target, c.records)})
	}
	return nil
}

// lookup is the answer for one topic of a batch.
type lookup struct {
	broker.Topic
	err error
}

// lookUp finds the topics of the unrouted messages. An error of one topic is that of its messages.
func (j *job) lookUp(ctx context.Context, s *session) (map[string]lookup, error) {
	found := map[string]lookup{}
	last := -1
	for _, i := range j.unrouted {
		name := j.messages[i].topic
		if last >= 0 && name == j.messages[last].topic {
			continue
		}
		last = i
		if _, ok := found[name]; ok {
			continue
		}
		topic, err := s.findTopic(ctx, name)
		if errors.Is(err, errAway) || ctx.Err() != nil {
			return nil, orContext(ctx, err)
		}
		found[name] = lookup{Topic: topic, err: err}
	}
	return found, nil
}

// lookAgain looks once more at the topics that don't have the partition that partitioner manual
// asks for: they may have grown.
func (j *job) lookAgain(ctx context.Context, s *session, found map[string]lookup) error {
	if s.partitioner.kind != manual {
		return nil
	}
	seen := map[string]bool{}
	for _, i := range j.unrouted {
		name := j.messages[i].topic
		topic := found[name]
		n, err := manualNumber(j.messages[i].partition)
		if err != nil || n < max(topic.Partitions, 1) || topic.err != nil || seen[name] {
			continue
		}
		seen[name] = true
		s.topics.expire(name)
		again, err := s.findTopic(ctx, name)
		if errors.Is(err, errAway) || ctx.Err() != nil {
			return orContext(ctx, err)
		}
		found[name] = lookup{Topic: again, err: err}
	}
	return nil
}

// orContext prefers the error of the context, which explains the other one.
func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// settle waits for the appends that are under way and takes down their outcomes.
func (j *job) settle(ctx context.Context, s *session) error {
	for len(j.flights) > 0 {
		f := j.flights[0]
		if err := s.await(ctx, f); err != nil {
			return err
		}
		j.land(f, s)
		j.flights = j.flights[1:]
	}
	return nil
}

// land takes down the outcome of one append.
func (j *job) land(f flight, s *session) {
	for n, err := range f.pending.Errs() {
		i := f.messages[n]
		switch {
		case err == nil:
		case errors.Is(err, appender.ErrPartitioned):
			s.topics.expire(f.target.Topic)
			j.unrouted = append(j.unrouted, i)
		default:
			s.health.failed(f.target.Topic, err)
			j.errs[i] = broker.Explain(err)
		}
	}
}
