package output

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

// errDisconnected ends WriteBatch with ErrNotConnected. The job is not finished: it continues when
// the engine has connected again.
var errDisconnected = errors.New("the server is not available")

const (
	// stallCheckInterval is the time between two checks whether the server is available, while the
	// appender retries an append of the job.
	stallCheckInterval = time.Second
	// maxRoutes is how often a message is routed before it fails. A message is routed again if the
	// append finds that its topic was partitioned in the meantime.
	maxRoutes = 5
)

// job is a batch that is being written: the outcomes so far, and what is still to be done. One
// WriteBatch at a time works on it. If that WriteBatch returns because the server is not available,
// the job is suspended until the engine passes the same batch again.
type job struct {
	messages []outgoing
	// errs has the error of each failed message. All other messages are unrouted, sent, or written.
	errs []error
	// unrouted has the indexes of the messages that are not routed yet, in ascending order.
	unrouted []int
	// routes counts how often messages were routed.
	routes int
	// sent has the batches in the appender without an outcome.
	sent []sentBatch
}

// sentBatch is a partitionBatch that was passed to the appender.
type sentBatch struct {
	*partitionBatch
	pending *appender.Pending
}

// newJob returns a job for the prepared messages. errs has the errors of the messages that can't be
// written.
func newJob(messages []outgoing, errs []error) *job {
	j := &job{messages: messages, errs: errs, unrouted: make([]int, 0, len(messages))}
	for i, err := range errs {
		if err == nil {
			j.unrouted = append(j.unrouted, i)
		}
	}
	return j
}

// run works until every message has its outcome, and then returns nil. It returns errDisconnected
// if the server is not available, or the error of ctx. A further call continues where run stopped.
func (j *job) run(ctx context.Context, s *session) error {
	for {
		if err := j.route(ctx, s); err != nil {
			return err
		}
		if err := j.awaitOutcomes(ctx, s); err != nil {
			return err
		}
		if len(j.unrouted) == 0 {
			return nil
		}
		slices.Sort(j.unrouted)
		if j.routes == maxRoutes {
			j.fail(
				fmt.Errorf(
					"the topic changed between plain and partitioned %d times while messages were written to it",
					maxRoutes,
				),
			)
			return nil
		}
	}
}

// fail fails the unrouted messages.
func (j *job) fail(err error) {
	for _, i := range j.unrouted {
		j.errs[i] = err
	}
	j.unrouted = nil
}

// awaitOutcomes waits for the sent batches and records their outcomes.
func (j *job) awaitOutcomes(ctx context.Context, s *session) error {
	for len(j.sent) > 0 {
		b := j.sent[0]
		if err := s.await(ctx, b); err != nil {
			return err
		}
		j.recordOutcomes(ctx, b, s)
		j.sent = j.sent[1:]
	}
	return nil
}

// recordOutcomes records the outcomes of one sent batch.
func (j *job) recordOutcomes(ctx context.Context, b sentBatch, s *session) {
	var last, reported error // all records that one request wrote have the same error
	for n, err := range b.pending.Errs() {
		i := b.messages[n]
		switch {
		case err == nil:
		case errors.Is(err, appender.ErrPartitioned):
			s.topics.expire(b.target.Topic)
			j.unrouted = append(j.unrouted, i)
		default:
			s.health.writeFailed(b.target.Topic, err)
			if err != last { //nolint:errorlint // whether it is the same error again
				last, reported = err, rediserr.Explain(s.named(ctx, err))
			}
			j.errs[i] = reported
		}
	}
}

// result returns nil for a finished job of written messages, or an error that names every message
// that was not written.
//
// The engine finds the source of a failed message by a mark in the context of the message.
// Processors in batching move the marks: the pieces of a message share one mark, and a processor
// that sorts or filters leaves the mark of one message on another. Then a named message could be
// mistaken for another one, and the failed message would be acknowledged. So the whole batch fails
// if the marks may have moved.
func (j *job) result(batch service.MessageBatch, marksMoved bool) error {
	failed := 0
	var first error
	for _, err := range j.errs {
		if err == nil {
			continue
		}
		if first == nil {
			first = err
		}
		failed++
	}
	switch {
	case failed == 0:
		return nil
	case marksMoved && len(batch) == 1:
		return first
	case marksMoved:
		return fmt.Errorf(
			"%w; the whole batch of %d fails, because processors in batching hide which messages failed",
			headline(failed, len(batch), first),
			len(batch),
		)
	}
	return j.batchError(batch, failed, headline(failed, len(batch), first))
}

// batchError returns a BatchError that has the failed messages first. Other components that split
// messages (a broker output with processors in batching) leave several pieces with one mark too,
// and the engine takes the first piece as the result of all of them.
func (j *job) batchError(batch service.MessageBatch, failed int, headline error) error {
	failures, written := make(service.MessageBatch, 0, len(batch)), make(service.MessageBatch, 0, len(batch)-failed)
	errs := make([]error, 0, failed)
	for i, msg := range batch {
		if err := j.errs[i]; err != nil {
			failures, errs = append(failures, msg), append(errs, err)
		} else {
			written = append(written, msg)
		}
	}
	batchErr := service.NewBatchError(append(failures, written...), headline)
	for i, err := range errs {
		batchErr = batchErr.Failed(i, err)
	}
	return batchErr
}

func headline(failed, all int, first error) error {
	if all == 1 {
		return first
	}
	return fmt.Errorf("%d of %d messages were not written, the first because: %w", failed, all, first)
}
