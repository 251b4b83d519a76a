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

// errDisconnected says that a job is not finished and that it is for the engine to wait for the connection.
var errDisconnected = errors.New("the server is not available")

const (
	// stallCheckInterval is how long a job waits for the appender's own retries before it asks whether the
	// server is there at all, and then how often it asks.
	stallCheckInterval = time.Second
	// maxRoutes is how often a message is routed before it fails, if its topic looks different at
	// every append.
	maxRoutes = 5
)

// job is one batch on its way: the outcome of each message so far, and what is still to be done.
// One WriteBatch at a time works on it; when that one leaves because the server is not available, the
// job is suspended until the engine brings the same batch again.
type job struct {
	messages []outgoing
	// errs has the outcome of each message that has one; a message that has none is unrouted, under
	// way or written.
	errs []error
	// unrouted are the places of the messages that wait to be routed, ascending.
	unrouted []int
	// routes counts how often messages were routed.
	routes int
	// sent are the appends that are under way.
	sent []sentBatch
}

// sentBatch is a cut that was handed to the appender.
type sentBatch struct {
	*partitionBatch
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

// fail ends the messages that are not routed.
func (j *job) fail(err error) {
	for _, i := range j.unrouted {
		j.errs[i] = err
	}
	j.unrouted = nil
}

// awaitOutcomes waits for the appends that are under way and takes down their outcomes.
func (j *job) awaitOutcomes(ctx context.Context, s *session) error {
	for len(j.sent) > 0 {
		f := j.sent[0]
		if err := s.await(ctx, f); err != nil {
			return err
		}
		j.recordOutcomes(ctx, f, s)
		j.sent = j.sent[1:]
	}
	return nil
}

// recordOutcomes takes down the outcome of one append.
func (j *job) recordOutcomes(ctx context.Context, f sentBatch, s *session) {
	var last, reported error // all records that one request wrote have the same error
	for n, err := range f.pending.Errs() {
		i := f.messages[n]
		switch {
		case err == nil:
		case errors.Is(err, appender.ErrPartitioned):
			s.topics.expire(f.target.Topic)
			j.unrouted = append(j.unrouted, i)
		default:
			s.health.writeFailed(f.target.Topic, err)
			if err != last { //nolint:errorlint // whether it is the same error again
				last, reported = err, rediserr.Explain(s.named(ctx, err))
			}
			j.errs[i] = reported
		}
	}
}

// result is what WriteBatch returns for the finished job: nil, or an error that names every message
// that was not written.
//
// The engine finds the sources of failed messages by marks in their contexts. Processors of
// batching move the marks: pieces of a message share one, and a processor that sorts or filters
// leaves the mark of one message on another. After them a message can't be named without a risk
// that another one is taken for it and that the failed one is acknowledged, so the whole batch
// fails.
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

// batchError names the failed messages, and puts them first: other components that split messages
// (a broker with processors in its batching) leave pieces with one mark too, and the engine takes
// the first piece that it finds for all of them.
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
