package splits

import (
	"context"
	"sync/atomic"
)

// Batch is a sequence of entries of one split, handed out under one lease, or to a member of a share
// group. One call of Ack or Nack resolves it. Further calls, and calls after the lease was lost, do
// nothing. Both are safe for concurrent use.
type Batch struct {
	Split   Split
	Entries []Entry
	// Deliveries is how often these entries have been handed out under this lease, or by this
	// member of a share group, including this time.
	Deliveries int
	// Attempts is how often the only entry of the batch has failed while it must have been the
	// cause, under any lease or at any member of a share group. It is 0 if the batch has several
	// entries.
	Attempts int
	// Lag is the last sampled lag of the split, -1 if unknown.
	Lag int64

	set      *splitSet
	owned    *ownedSplit
	share    *shareSplit // set if a ShareConsumer handed out the batch, instead of set and owned
	term     int         // of share
	context  context.Context
	piece    piece
	inFlight inFlightBatch
	resolved atomic.Bool
}

// Context ends when the lease does under which the batch was handed out, or when the member of a
// share group may lose its entries. Its cause says why.
func (b *Batch) Context() context.Context {
	if b.share != nil {
		return b.context
	}
	return b.owned.ctx
}

// Ack reports that all entries have been processed.
func (b *Batch) Ack() {
	if b.resolved.Swap(true) {
		return
	}
	if b.share != nil {
		b.share.set.accept(b)
		return
	}
	b.set.cfg.Failures.accepted(&b.inFlight)
	if passed := b.set.acknowledge(b); passed != nil {
		b.set.cfg.Observer.Recovered(*passed)
	}
}

// Nack reports that the batch failed. Its entries are handed out again before anything newer of the
// split, in smaller batches, until the entries that fail have been found. suspects are the indexes
// of entries that may have failed. They are a hint, which may be wrong or missing, and only decide
// how the batch is cut. No entry counts as processed. Under Unordered newer entries may come
// first; under Config.SkipNacked the whole batch is skipped.
func (b *Batch) Nack(cause error, suspects []int) {
	if b.resolved.Swap(true) {
		return
	}
	if b.share != nil {
		b.share.set.reject(b, cause, suspects)
		return
	}
	cfg := b.set.cfg
	r := b.set.reject(b, cause, suspects)
	cfg.Failures.failed(&b.inFlight, r.certain)
	switch {
	case !r.counts:
	case cfg.SkipNacked:
		cfg.Observer.Skipped(b.Split, len(b.Entries))
	default:
		cfg.Observer.Redelivered(b.Split, len(b.Entries))
		if r.isolated {
			cfg.Observer.Isolated(b.Split)
		}
		if failing := b.set.failing(b, cause); failing != nil {
			cfg.Observer.Failing(*failing)
		}
	}
}
