package splits

import (
	"fmt"
	"time"
)

// FullError is why a member of a share group reads nothing more: as many of its messages fail as it
// may have in the pipeline.
type FullError struct {
	// Limit is ShareConfig.CheckpointLimit.
	Limit int
	// First is one of the messages.
	First Failing
	// Remedy is from ShareConfig.Remedies.
	Remedy string
}

// Error names the number of messages and one of them, and adds the remedy.
func (e *FullError) Error() string {
	text := fmt.Sprintf("all %d messages that this member may have in the pipeline keep failing, so it reads nothing "+
		"more; one of them is at offset %s of partition %s: %v", e.Limit, e.First.Offset, e.First.Split, e.First.Cause)
	return withRemedy(text, e.Remedy)
}

// accept handles a batch that was processed.
func (set *shareSet) accept(b *Batch) {
	set.cfg.Failures.accepted(&b.inFlight)
	now, s := set.cfg.Now(), b.share
	set.mu.Lock()
	if b.term != s.term {
		set.mu.Unlock()
		return
	}
	recovered := s.recovering(b, now)
	set.resolve(b)
	set.judge.processed(b.piece.lone)
	s.processed(b, now)
	set.batchReturned(b, now)
	set.mu.Unlock()
	if recovered != nil {
		set.cfg.Observer.Recovered(*recovered)
	}
}

// resolve marks all entries of a batch as processed. The lock is held.
func (set *shareSet) resolve(b *Batch) {
	s := b.share
	for _, ref := range b.piece.refs {
		o := ref.entry().Offset
		if state := s.entries[o]; state == shareOut || state == shareOrphaned {
			s.finish(o)
		}
		if ref.span.owned {
			ref.span.entries[ref.index].Fields = nil
		}
	}
	if lone := b.piece.lone; lone != nil && lone.stored {
		s.buried = append(s.buried, b.Entries[0].Offset)
	}
	set.acknowledgeLater(s)
}

// batchReturned continues after a batch was acknowledged or rejected. The lock is held.
func (set *shareSet) batchReturned(b *Batch, now time.Time) {
	s := b.share
	s.cameBack(now)
	set.suspectReturned(b, now)
	set.stalled = false
	set.enqueue(s)
	if set.out < set.cfg.CheckpointLimit {
		set.enqueueBuffered()
	}
}

// reject takes back a batch that failed.
func (set *shareSet) reject(b *Batch, cause error, suspects []int) {
	s, n := b.share, len(b.Entries)
	r := set.takeBack(b, cause, suspects)
	set.cfg.Failures.failed(&b.inFlight, r.certain)
	switch {
	case !r.counts:
	case set.cfg.SkipNacked:
		set.cfg.Observer.Skipped(s.split, n)
	default:
		set.cfg.Observer.Redelivered(s.split, n)
		if r.isolated {
			set.cfg.Observer.Isolated(s.split)
		}
		failing, full := set.failing(b, cause)
		if failing != nil {
			set.cfg.Observer.Failing(*failing)
		}
		if full != nil {
			set.health.fail(task{kind: taskAccept}, full)
			set.checkNotFull() // it may have changed since
		}
	}
}

// takeBack takes back the entries of a batch that failed. The failure does not count if the batch
// is void, or if all of its entries may be pending at other names.
func (set *shareSet) takeBack(b *Batch, cause error, suspects []int) rejection {
	now, s := set.cfg.Now(), b.share
	set.mu.Lock()
	defer set.mu.Unlock()
	if b.term != s.term {
		return rejection{}
	}
	if set.cfg.SkipNacked {
		set.resolve(b)
		set.batchReturned(b, now)
		return rejection{counts: true}
	}
	for _, ref := range b.piece.refs {
		ref.span.own()
	}
	kept := s.withoutOrphans(b.piece.refs)
	if len(kept) == 0 {
		s.discard(b.piece)
		set.batchReturned(b, now)
		return rejection{}
	}
	if len(kept) < len(b.piece.refs) {
		suspects = nil
	}
	b.piece.refs = kept
	alone := set.judge.fail(s, b.piece, suspects, cause, now)
	set.batchReturned(b, now)
	// An operator can acknowledge the entry at any time: an audit finds that.
	if soon := now.Add(set.cfg.Heartbeat); alone != nil && soon.Before(s.auditDue) {
		s.auditDue = soon
	}
	return set.judge.rejected(s, alone, cause, now)
}

// failing returns what to report after a batch failed, nil if nothing is due, and why nothing more
// is read, if that is so.
func (set *shareSet) failing(b *Batch, cause error) (*Failing, error) {
	now, s := set.cfg.Now(), b.share
	set.mu.Lock()
	defer set.mu.Unlock()
	return s.lastingFailure(b, cause, set.judge.reportAfter(), now), set.checkFull(s.isolation.first(), now)
}

// checkFull returns why nothing more is read, if all entries that may be handed out keep failing.
// The lock is held.
func (set *shareSet) checkFull(l *loneFailure, now time.Time) error {
	if l == nil || set.out < set.cfg.CheckpointLimit {
		return nil
	}
	failed := 0
	var of *shareSplit
	for _, s := range set.splits {
		failed += len(s.isolation.loneFailures)
		if s.isolation.first() == l {
			of = s
		}
	}
	if failed < set.cfg.CheckpointLimit || of == nil {
		return nil
	}
	set.full = true
	return &FullError{
		Limit:  set.cfg.CheckpointLimit,
		First:  of.describe(l, of.split, now),
		Remedy: set.cfg.Remedies.Full,
	}
}

// checkNotFull ends the report that nothing more is read, if that is so.
func (set *shareSet) checkNotFull() {
	set.mu.Lock()
	if set.out < set.cfg.CheckpointLimit {
		set.full = false
	}
	full := set.full
	set.mu.Unlock()
	if !full {
		set.health.ok(task{kind: taskAccept})
	}
}
