package splits

import (
	"context"
	"sync/atomic"
	"time"
)

// Batch is a run of entries of one split, in order, handed out under one lease. Exactly one call of Ack or Nack resolves it; further
// calls, and calls after the lease was lost, do nothing. Both may be called from any goroutine.
type Batch struct {
	Split   Split
	Entries []Entry
	// Deliveries is how often these entries have been handed out under this lease, this time included.
	Deliveries int
	// Lag is the last sampled lag of the split, -1 if unknown.
	Lag int64

	reader   *Reader
	hold     *hold
	refs     []ref
	at       time.Time
	resolved atomic.Bool
}

// Context ends when the lease under which the batch was handed out does; its cause says why.
func (b *Batch) Context() context.Context { return b.hold.ctx }

// Ack says that all entries have been processed.
func (b *Batch) Ack() { b.resolve(nil) }

// Nack says that the entries with the given indexes failed; none given means all. The others count as processed. What failed is
// handed out again, together with the later entries of the batch that carry the key of a failed one, before anything newer of the split.
// Under Config.Unordered it is what failed alone, and newer entries may come first; under Config.SkipNacked nothing is.
func (b *Batch) Nack(failed []int) {
	again := make([]bool, len(b.refs))
	keys := map[string]bool{}
	for _, i := range failed {
		if i >= 0 && i < len(again) {
			again[i] = true
		}
	}
	for i := range again {
		again[i] = again[i] || len(failed) == 0
		if b.reader.cfg.Unordered || b.reader.cfg.SkipNacked {
			continue
		}
		if key := b.reader.cfg.OrderKey(b.Entries[i]); key != "" {
			again[i] = again[i] || keys[key]
			keys[key] = again[i]
		}
	}
	b.resolve(again)
}

func (b *Batch) resolve(again []bool) {
	if b.resolved.Swap(true) {
		return
	}
	redelivered := b.reader.resolve(b, again)
	switch {
	case redelivered == 0:
	case b.reader.cfg.SkipNacked:
		b.reader.cfg.Observer.Skipped(b.Split, redelivered)
	default:
		b.reader.cfg.Observer.Redelivered(b.Split, redelivered)
	}
}
