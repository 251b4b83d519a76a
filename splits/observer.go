package splits

import "time"

// Observer is told what happens in a Consumer, for logs and metrics. Its methods are called by
// several goroutines, never under a lock. They must not block for longer than a request to the
// store, or call back. Embed NopObserver to pick some.
type Observer interface {
	// Rebalanced: splits were taken on or given up.
	Rebalanced(r Rebalance)
	// Committed: positions were stored.
	Committed(s Split, at Position)
	// Fenced: leases were lost: to another epoch (ErrFenced), because they could not be renewed in
	// time (ErrExpired), because the stream is not what it was (ErrRolledBack), or because an
	// operator ended them on purpose (ErrSought, ErrDeleted).
	Fenced(all []Split, cause error)
	// Lost: entries are gone that were never read, or streams are not what they were. What was
	// found at one time comes in one call.
	Lost(all []Loss)
	// Redelivered: a batch of so many entries was nacked, and they are handed out again.
	Redelivered(s Split, entries int)
	// Skipped: a batch of so many entries was nacked, and they are passed over, for replaying is
	// off.
	Skipped(s Split, entries int)
	// Failing: an entry has been failing for a while. It comes once a minute for each split.
	Failing(f Failing)
	// Recovered: an entry that was failing, after Failing was called for its split, has been
	// processed.
	Recovered(f Failing)
	// Sampled: how the splits of this member stand, every Config.SampleEvery.
	Sampled(samples []Sample)
	// Stalled: every split that has entries has waited for an acknowledgement for so long.
	Stalled(waited time.Duration)
	// Unavailable: a part became unavailable, or has been for another minute. Available: it is
	// available again. One call each, however many requests fail.
	Unavailable(part Part, err error)
	Available(part Part)
}

// Rebalance is one change of what a member reads.
type Rebalance struct {
	Member string
	// Version of the plan that was followed.
	Version uint64
	Added   []Split
	Revoked []Split
	// Owned is the number of splits held now.
	Owned int
}

// Sample is how one split stands.
type Sample struct {
	Split Split
	// Lag is the number of entries behind the last acknowledged one, or an upper bound of it unless
	// LagExact.
	Lag      int64
	LagExact bool
	// LagAge is the age of the oldest entry that is not acknowledged, by its offset; 0 if there is
	// none.
	LagAge time.Duration
	// Unacked is how long ago the oldest entry that is not acknowledged was handed out first; 0 if
	// there is none.
	Unacked time.Duration
	// Bound is the oldest entry that is not acknowledged, if nothing newer is handed out because of
	// Config.MaxAhead.
	Bound Offset
	// LastRead is when entries last came; zero if none have since the split was claimed.
	LastRead time.Time
}

// NopObserver ignores everything.
type NopObserver struct{}

// Rebalanced does nothing.
func (NopObserver) Rebalanced(Rebalance) {}

// Committed does nothing.
func (NopObserver) Committed(Split, Position) {}

// Fenced does nothing.
func (NopObserver) Fenced([]Split, error) {}

// Lost does nothing.
func (NopObserver) Lost([]Loss) {}

// Redelivered does nothing.
func (NopObserver) Redelivered(Split, int) {}

// Skipped does nothing.
func (NopObserver) Skipped(Split, int) {}

// Failing does nothing.
func (NopObserver) Failing(Failing) {}

// Recovered does nothing.
func (NopObserver) Recovered(Failing) {}

// Sampled does nothing.
func (NopObserver) Sampled([]Sample) {}

// Stalled does nothing.
func (NopObserver) Stalled(time.Duration) {}

// Unavailable does nothing.
func (NopObserver) Unavailable(Part, error) {}

// Available does nothing.
func (NopObserver) Available(Part) {}
