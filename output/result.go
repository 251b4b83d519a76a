package output

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"
)

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
			"%w; the whole batch of %d fails, because processors in batching hide which message each came from",
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
