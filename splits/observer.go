package splits

import "time"

// Observer receives the events of a Consumer, for logs and metrics. Several goroutines call its
// methods, never under a lock. The methods must not block for longer than a request to the store
// takes, and must not call the Consumer. Embed NopObserver to implement only some of them.
type Observer interface {
	// Rebalanced: splits were added or given up.
	Rebalanced(r Rebalance)
	// Committed: a position was stored.
	Committed(s Split, at Position)
	// Fenced: leases were lost. The cause is ErrFenced if another epoch has the lease, ErrExpired
	// if it could not be renewed in time, ErrRolledBack if the stream was replaced, and ErrMoved,
	// ErrSkipped or ErrDeleted if an operator ended the lease on purpose.
	Fenced(all []Split, cause error)
	// Lost: entries were removed before they were read, or streams were replaced. Losses that were
	// found at the same time come in one call.
	Lost(all []Loss)
	// Adopting: a split was claimed that is being adopted from a foreign group: what is pending
	// there comes first. Adopted: nothing is pending there any more, and the adoption has ended.
	Adopting(s Split, from string)
	Adopted(s Split, from string)
	// Redelivered: a batch was nacked, and its entries are handed out again.
	Redelivered(s Split, entries int)
	// Skipped: a batch was nacked, and its entries are skipped because of Config.SkipNacked.
	Skipped(s Split, entries int)
	// PassedOver: entries were passed over because of Config.PassOver.
	PassedOver(s Split, entries int)
	// Reclaimed: entries that were pending at dead members of a share group were taken over.
	Reclaimed(s Split, entries int)
	// TookIdle reports entries that a member of a share group has taken over from another program,
	// because they were idle for ShareConfig.AdoptIdle.
	TookIdle(s Split, entries int)
	// Isolated: a batch of one entry failed, and that entry had not failed alone before, as far as
	// this member knows.
	Isolated(s Split)
	// Kept: entries of a share group were acknowledged and not deleted, although
	// ShareConfig.DeleteAcknowledged is set. It is called for each acknowledgement.
	Kept(s Split, entries int, why error)
	// Failing: an entry has been failing for a while. It is called at most once a minute for each
	// split.
	Failing(f Failing)
	// Recovered: an entry was processed after it had been failing and Failing had been called for
	// its split.
	Recovered(f Failing)
	// DeadLettered: an entry was given up. Its letter is written, and it counts as processed.
	DeadLettered(l Letter)
	// Sampled: the state of all owned splits, every Config.SampleEvery.
	Sampled(samples []Sample)
	// Stalled: every split that has entries has waited this long for an acknowledgement.
	Stalled(waited time.Duration)
	// Unavailable: a part became unavailable, or has been for another minute. Available: it is
	// available again. One call each, however many requests fail.
	Unavailable(part Part, err error)
	Available(part Part)
}

// Rebalance is one change of the owned splits.
type Rebalance struct {
	Member string
	// Version is the version of the plan.
	Version uint64
	Added   []Split
	Revoked []Split
	// Owned is the number of splits owned now.
	Owned int
}

// Sample is the state of one split.
type Sample struct {
	Split Split
	// Lag is the number of entries behind the last acknowledged one. It is an upper bound unless
	// LagExact.
	Lag      int64
	LagExact bool
	// Pending is the number of entries that are pending at any member of a share group; 0 in other
	// groups. Lag does not include them.
	Pending int64
	// LagAge is the age of the oldest entry that is not acknowledged, by its offset; 0 if there is
	// none. In a share group it concerns entries that were delivered.
	LagAge time.Duration
	// Unacked is the time since the oldest entry that is not acknowledged was handed out first; 0
	// if there is none.
	Unacked time.Duration
	// Bound is the oldest entry that is not acknowledged, if nothing newer is handed out because of
	// Config.MaxAhead; zero otherwise.
	Bound Offset
	// LastRead is when entries last came; zero if none have come since the split was claimed.
	LastRead time.Time
}

// NopObserver is an Observer that does nothing.
type NopObserver struct{}

// Rebalanced does nothing.
func (NopObserver) Rebalanced(Rebalance) {}

// Committed does nothing.
func (NopObserver) Committed(Split, Position) {}

// Fenced does nothing.
func (NopObserver) Fenced([]Split, error) {}

// Lost does nothing.
func (NopObserver) Lost([]Loss) {}

// Adopting does nothing.
func (NopObserver) Adopting(Split, string) {}

// Adopted does nothing.
func (NopObserver) Adopted(Split, string) {}

// Redelivered does nothing.
func (NopObserver) Redelivered(Split, int) {}

// Skipped does nothing.
func (NopObserver) Skipped(Split, int) {}

// PassedOver does nothing.
func (NopObserver) PassedOver(Split, int) {}

// Reclaimed does nothing.
func (NopObserver) Reclaimed(Split, int) {}

// TookIdle does nothing.
func (NopObserver) TookIdle(Split, int) {}

// Isolated does nothing.
func (NopObserver) Isolated(Split) {}

// Kept does nothing.
func (NopObserver) Kept(Split, int, error) {}

// Failing does nothing.
func (NopObserver) Failing(Failing) {}

// Recovered does nothing.
func (NopObserver) Recovered(Failing) {}

// DeadLettered does nothing.
func (NopObserver) DeadLettered(Letter) {}

// Sampled does nothing.
func (NopObserver) Sampled([]Sample) {}

// Stalled does nothing.
func (NopObserver) Stalled(time.Duration) {}

// Unavailable does nothing.
func (NopObserver) Unavailable(Part, error) {}

// Available does nothing.
func (NopObserver) Available(Part) {}
