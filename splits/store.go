package splits

import (
	"context"
	"time"
)

// The three interfaces below are all that this package asks of a store. internal/broker implements
// them on Redis, splitstest.Store in memory; splitstest.TestStore is the suite that both pass. All
// methods may be called concurrently. Any error other than those named here means that the outcome
// is unknown: the request may have been applied, may be applied later, or never. Errors say what
// was being done, and to which split.

// Group is the membership of one consumer group of one topic, and the plan which member should read
// which split.
type Group interface {
	// Beat adds the member or extends its membership to b.TTL from now, drops the members whose
	// time has passed and answers with what the group looks like then. A change of members or of
	// the number of splits raises the version. If b.Owner is set and a later incarnation of the
	// member is alive, the error is a *SupersededError and nothing was changed; an earlier one is
	// superseded, which does not change the members.
	Beat(ctx context.Context, b Beat) (View, error)
	// Propose stores the plan if plan.Version is still the version of the group and no other plan
	// is stored for it, and reports whether this plan is the one that is stored.
	Propose(ctx context.Context, plan Plan) (bool, error)
	// Leave removes the member. Removing one that is not there is no error.
	Leave(ctx context.Context, member string) error
	// Wake calls notify, which does not block, once it has subscribed and then at every hint that
	// the group has changed, until ctx ends or the subscription fails. Hints may be lost and may
	// come for nothing: they save time and carry no truth.
	Wake(ctx context.Context, notify func()) error
}

// Beat is one heartbeat of a member.
type Beat struct {
	Member string
	// Owner is the incarnation of a static member that beats; empty for one that is not static.
	Owner string
	TTL   time.Duration
	// Planned is the version of the plan that the caller knows already, 0 if none.
	Planned uint64
	// Rejoin says that the caller was a member before: should the store know nothing of the group,
	// it has lost it, and whatever the topic holds must then be read from its beginning.
	Rejoin bool
}

// View is a group as one heartbeat saw it.
type View struct {
	// Version grows with every change of members or of the number of splits; Planned is the version
	// that the stored plan was made for. When they differ, Members is filled in and whoever sees it
	// proposes a plan.
	Version, Planned uint64
	// Next is the time until the earliest deadline of any member: a beat then notices a death at
	// once.
	Next time.Duration
	// Splits are the splits of the topic, in the order of their partitions.
	Splits []Split
	// Initial is how many splits the topic had when the group was created: later ones are read from
	// their first entry, whatever Start says.
	Initial int
	// Members are the live members in ascending order, if Version differs from Planned.
	Members []string
	// Plan is the stored plan if there is one and its version differs from Beat.Planned.
	Plan *Plan
}

// Plan is a wish which member should read which partitions. It may be stale; leases alone decide
// who may commit.
type Plan struct {
	Version     uint64
	Assignments map[string][]int
}

// Leases are the ownership and the committed position of splits, which are inseparable. Requests of
// one call are independent of each other, and the answers have the order of the requests.
type Leases interface {
	// Claim takes the lease of each split for the owner, unless another's lives: then its error is
	// a *HeldError. That of an earlier incarnation of the same static member is in nobody's way: it
	// is taken over at once. A granted claim has an epoch higher than every earlier one of that
	// split. A position that is not stored yet is resolved from Start and stored in the same step.
	// Claiming a split that the owner holds already grants it again under a new epoch.
	Claim(ctx context.Context, owner string, ttl time.Duration, claims []Claim) []Granted
	// Commit stores each position and extends the lease to ttl from now; ErrFenced if the lease is
	// not the member's under that epoch any more; of these ErrSought or ErrDeleted if an operator
	// ended it. A position below the stored one is kept out and is no error: it is a late
	// duplicate.
	Commit(ctx context.Context, ttl time.Duration, commits []Commit) []error
	// Renew is Commit without a position.
	Renew(ctx context.Context, ttl time.Duration, leases []Lease) []error
	// Reset stores a position even if it is lower than the stored one, under the same fence: the
	// one way down.
	Reset(ctx context.Context, ttl time.Duration, commit Commit) error
	// Release ends each lease at once. ErrFenced if it was not the member's any more.
	Release(ctx context.Context, leases []Lease) []error
}

// Claim asks for the lease of one split.
type Claim struct {
	Split Split
	Start Start
}

// Granted is the answer to one Claim.
type Granted struct {
	// Epoch fences every later request under this lease.
	Epoch uint64
	// Position is the committed position: reading goes on behind it.
	Position Position
	// Attempts counts takeovers of an expired lease without progress in between, for the isolation
	// of entries that kill the process.
	Attempts int
	// Resolved says that no position was stored: it was resolved from Start.
	Resolved bool
	// Deleted is the epoch of the last lease of this split that an operator deleted together with
	// the topic, as far as the store remembers; 0 if none was. What a member knows of the stream
	// from that lease or an earlier one is out of date on purpose.
	Deleted uint64
	// Err is nil if the lease was granted, a *HeldError if another member has it, or what else went
	// wrong.
	Err error
}

// Commit is a position to be stored under a lease.
type Commit struct {
	Lease    Lease
	Position Position
	// Accounted is how many of the entries that were ever added are not to be read behind the
	// position: they were read, or they are gone. What was added less that is the lag, or an upper
	// bound of it. It is Position.Read, or more once unread entries were removed, or at least so
	// many where Position has no count. ReadUnknown: no more than Position.Read is known. Reset
	// ignores it.
	Accounted int64
}

// Log is the entries of splits.
type Streams interface {
	// Fetch reads entries behind each cursor. The answers have the order of the cursors; an error
	// is that of the whole request. It is ErrUnfinished if a smaller request might succeed.
	Fetch(ctx context.Context, req FetchRequest) ([]Fetched, error)
	// Peek describes the next entry behind each cursor. The answer is small, however large the
	// entries are. The answers have the order of the cursors; an error is that of the whole
	// request.
	Peek(ctx context.Context, at []Cursor) ([]Peeked, error)
	// State tells what the streams of the splits look like now.
	State(ctx context.Context, splits []Split) ([]State, error)
	// Count counts entries of one split without returning them, as far as one request may go.
	Count(ctx context.Context, req CountRequest) (Counted, error)
}

// CountRequest asks how many entries there are in a range.
type CountRequest struct {
	Split Split
	// After is the offset before the range, UpTo the last one in it.
	After, UpTo Offset
	// Most is how many entries the store may look at.
	Most int
}

// Counted is a part of a range, from its beginning.
type Counted struct {
	// Entries is how many entries there are, First and Last are the offsets of the first and the
	// last of them; zero if there is none.
	Entries     int
	First, Last Offset
	// More says that the range may have more entries behind Last.
	More bool
	// Size is the mean number of bytes of the entries that were looked at, Took how long the store
	// worked.
	Size int
	Took time.Duration
}

// FetchRequest asks for entries of several splits at once. All of them must be in one shard (see
// Config.Shard).
type FetchRequest struct {
	Cursors []Cursor
	// Count is the most entries to return of each split.
	Count int
	// Block is how long to wait when no split has anything; 0 means not at all.
	Block time.Duration
}

// Cursor is the place from which one split is read.
type Cursor struct {
	Split Split
	After Offset
	// Inspect asks for the State of the split as it is just before this read, in the same round
	// trip.
	Inspect bool
}

// Fetched is what one cursor got.
type Fetched struct {
	Entries []Entry
	// State is set if the cursor asked for it and the store could tell.
	State *State
	// Err is set if this split alone could not be read (a key of another type, no permission).
	Err error
}

// Peeked describes an entry without its fields.
type Peeked struct {
	// Offset is that of the entry; zero if there is none.
	Offset Offset
	// Size is how many bytes the fields have.
	Size int64
	// Err is set if the store answered, but did not describe the entry.
	Err error
}

// State describes the stream of a split.
type State struct {
	// Exists is false for a key that is not there; all else is zero then.
	Exists bool
	// Length is the number of entries that are there.
	Length int64
	// First is the offset of the first entry that is there; zero if there is none.
	First Offset
	// Last is the last generated offset, which may belong to an entry that is gone.
	Last Offset
	// Added counts the entries ever added; -1 on servers that do not tell.
	EntriesAdded int64
	// MaxDeleted is the highest offset ever removed by XDEL; zero if none was or the server does
	// not tell.
	MaxDeleted Offset
	// Err is set if this split alone could not be asked.
	Err error
}
