package splits

import (
	"context"
	"time"
)

// The three interfaces below, and Adoptions, are all that this package requires of a store.
// internal/broker implements them on Redis, splitstest.Store in memory. splitstest.TestStore is the
// test suite that both pass. All methods are safe for concurrent use. Any error other than the
// errors named here means that the outcome is unknown: the request may have been applied, may be
// applied later, or may never be applied. An error names the operation and the split.

// Group is the membership of one consumer group of one topic, and its plan.
type Group interface {
	// Beat adds the member or extends its membership to b.TTL from now, removes members whose
	// membership has ended, and returns the group after that. A change of the members or of the
	// number of splits increases the version. If b.Owner is set and a later incarnation of the
	// member is alive, the error is a *SupersededError and nothing was changed. An earlier
	// incarnation is superseded, which does not change the members.
	Beat(ctx context.Context, b Beat) (View, error)
	// Propose stores the plan if plan.Version is still the version of the group and no other plan
	// is stored for it. It reports whether this plan is the stored one.
	Propose(ctx context.Context, plan Plan) (bool, error)
	// Leave removes the member. It is not an error if the group does not have the member.
	Leave(ctx context.Context, member string) error
	// Wake calls notify when it has subscribed and then at every hint that the group has changed,
	// until ctx ends or the subscription fails. notify does not block. Hints save time and nothing
	// else: a hint can be lost, and a hint can come without a change.
	Wake(ctx context.Context, notify func()) error
}

// Beat is one heartbeat of a member.
type Beat struct {
	Member string
	// Owner is the incarnation of a static member; empty for other members.
	Owner string
	TTL   time.Duration
	// Planned is the version of the plan that the caller has, 0 if none.
	Planned uint64
	// Rejoin is set if the caller was a member before. If the store does not know the group then,
	// the store has lost it, and all entries of the topic must be read.
	Rejoin bool
}

// View is the group as one heartbeat returned it.
type View struct {
	// Version increases with every change of the members or of the number of splits. Planned is the
	// version that the stored plan was made for. If they differ, Members is set, and the caller is
	// to propose a plan.
	Version, Planned uint64
	// Next is the time until the earliest deadline of any member: a beat then detects the end of a
	// member immediately.
	Next time.Duration
	// Splits are the splits of the topic, in the order of their partitions.
	Splits []Split
	// Initial is the number of splits that the topic had when the group was created. Later splits
	// are read from their first entry, whatever Start is.
	Initial int
	// Members are the live members in ascending order, if Version differs from Planned.
	Members []string
	// Plan is the stored plan if there is one and its version differs from Beat.Planned.
	Plan *Plan
}

// Plan assigns partitions to members. It may be stale: only leases decide which member can commit.
type Plan struct {
	Version     uint64
	Assignments map[string][]int
}

// Leases are the ownership and the committed positions of splits. A lease and its position are
// stored together. The requests of one call are independent of each other, and the answers have the
// order of the requests.
type Leases interface {
	// Claim takes the lease of each split for the owner. If the lease of another owner is alive,
	// the error is a *HeldError; the lease of an earlier incarnation of the same static member is
	// taken over immediately. A granted claim has a higher epoch than every earlier claim of that
	// split. If no position is stored, it is resolved from Start and stored in the same step. If
	// the owner has the lease already, it is granted again under a new epoch.
	Claim(ctx context.Context, owner string, ttl time.Duration, claims []Claim) []Granted
	// Commit stores each position and extends the lease to ttl from now. The error is ErrFenced if
	// the member does not have the lease under that epoch any more: ErrMoved, ErrSkipped or
	// ErrDeleted if an operator ended it. A position below the stored one comes from a late
	// request; it is ignored without an error.
	Commit(ctx context.Context, ttl time.Duration, commits []Commit) []error
	// Renew is Commit without a position.
	Renew(ctx context.Context, ttl time.Duration, leases []Lease) []error
	// Reset stores a position even if it is lower than the stored one, with the same check of the
	// epoch.
	Reset(ctx context.Context, ttl time.Duration, commit Commit) error
	// Note changes what is stored of entries that failed, with the same check of the epoch; the lease
	// is not extended. What is stored of an entry is kept until it is removed, or at least until the
	// position has passed it. Reset removes all of it, and so does everything that moves or deletes
	// the position.
	Note(ctx context.Context, notes []Note) []error
	// Survive takes back what a claim has added to Granted.Deaths because of the owner of each
	// lease, and prevents that a later claim adds it: the owner is alive, and has given up what it
	// had in flight. Commits under this lease that are applied later do not change the suspect. The
	// lease need not be held any more. Repeated requests change nothing.
	Survive(ctx context.Context, leases []Lease) []error
	// Release ends each lease immediately. The error is ErrFenced if the member did not have it any
	// more.
	Release(ctx context.Context, leases []Lease) []error
}

// Claim is a request for the lease of one split.
type Claim struct {
	Split Split
	Start Start
}

// Granted is the answer to one Claim.
type Granted struct {
	// Epoch is the epoch of the lease. Every later request under this lease has it.
	Epoch uint64
	// Position is the committed position: reading begins behind it.
	Position Position
	// Attempts counts the takeovers of an expired lease without progress in between. It serves to
	// find entries that crash the process.
	Attempts int
	// Finished are the ranges that were stored with Position.
	Finished []Range
	// Failing are the entries that were stored by Note, in the order of their offsets. It can have
	// entries that were resolved: entries that are not behind Position, and entries in Finished.
	Failing []Attempted
	// Suspect is what may have killed an earlier owner. What was in flight with a lease that was
	// released, or that the same owner claims again, is not suspected, unless it was in flight
	// alone. A suspect that is not behind Position is dropped, unless the split is being adopted.
	Suspect Suspect
	// Deaths are the entries that were in flight alone when an owner died, once for each death. A
	// claim adds a death if the lease was not released, and its owner is another one and had an
	// entry in flight alone. Deaths of entries that are not behind Position are dropped, unless the
	// split is being adopted. A store may keep only the latest MaxDeaths.
	Deaths []Offset
	// Resolved is true if no position was stored, and Position was resolved from Start.
	Resolved bool
	// Adopting is the name of the foreign group from which the split is being adopted; empty if it
	// is not. See Adoptions.
	Adopting string
	// Deleted is the epoch of the last lease of this split that an operator deleted together with
	// the topic, if the store still knows it; otherwise 0. What a member knows of the stream from
	// that epoch or an earlier one is out of date on purpose.
	Deleted uint64
	// Err is nil if the lease was granted, and a *HeldError if another member has it.
	Err error
}

// Commit is a position to store under a lease.
type Commit struct {
	Lease    Lease
	Position Position
	// Accounted is the number of entries ever added that are not to be read behind the position,
	// because they were read or removed. EntriesAdded minus Accounted is the lag, or an upper bound
	// of it. Accounted equals Position.EntriesRead, or is greater if unread entries were removed;
	// it is a lower bound if Position has no count. CountUnknown means that nothing more than
	// Position.EntriesRead is known. Reset ignores it.
	Accounted int64
	// Finished are ranges behind the position, in the order of their offsets, of which all entries
	// have been processed too: the next owner of the split skips them. A store may keep only the
	// nearest ones. They replace the stored ones, unless the position is ignored; Reset deletes
	// the stored ones.
	Finished []Range
	// Suspect replaces the stored one, unless the position is ignored or Turn is not greater than
	// that of the stored one. The zero Suspect keeps the stored one. Reset deletes it, together with
	// all deaths.
	Suspect Suspect
}

// Streams are the entries of splits.
type Streams interface {
	// Fetch reads entries behind each cursor. The answers have the order of the cursors. An error
	// concerns the whole request; it is ErrUnfinished if a smaller request might succeed.
	Fetch(ctx context.Context, req FetchRequest) ([]Fetched, error)
	// Load reads single entries by their offsets. The answers have the order of the requests. An
	// error concerns all requests.
	Load(ctx context.Context, reqs []LoadRequest) ([]Loaded, error)
	// Peek describes the next entry behind each cursor. The answer is small even if the entries are
	// large. The answers have the order of the cursors. An error concerns the whole request.
	Peek(ctx context.Context, at []Cursor) ([]Peeked, error)
	// State returns the current states of the streams of the splits.
	State(ctx context.Context, splits []Split) ([]State, error)
	// Count counts entries of one split without returning them, as many as one request allows.
	Count(ctx context.Context, req CountRequest) (Counted, error)
}

// CountRequest is a request for the number of entries in a range.
type CountRequest struct {
	Split Split
	// After is the offset before the range, UpTo the last offset in it.
	After, UpTo Offset
	// Most is the maximum number of entries that the store visits.
	Most int
}

// Counted is the result for a range, or for its first part.
type Counted struct {
	// Entries is the number of entries. First and Last are the offsets of the first and the last
	// one; zero if there are none.
	Entries     int
	First, Last Offset
	// More is true if the range may have more entries behind Last.
	More bool
	// Size is the mean size in bytes of the entries that the store visited, Took how long the store
	// worked.
	Size int
	Took time.Duration
}

// FetchRequest is a request for entries of several splits. All of them must be in one fetch group
// (see Config.FetchGroup).
type FetchRequest struct {
	Cursors []Cursor
	// Count is the maximum number of entries to return of each split.
	Count int
	// Block is how long to wait if no split has entries; 0 means not to wait.
	Block time.Duration
}

// Cursor is the position from which one split is read.
type Cursor struct {
	Split Split
	After Offset
	// Inspect requests the State of the split as it is just before this read, in the same round
	// trip.
	Inspect bool
}

// Fetched is the answer for one cursor.
type Fetched struct {
	Entries []Entry
	// State is set if the cursor requested it and the store could read it.
	State *State
	// Err is set if this split alone could not be read, for example without permission.
	Err error
}

// LoadRequest is a request for entries of one split.
type LoadRequest struct {
	Split   Split
	Offsets []Offset
}

// Loaded is the answer for one LoadRequest.
type Loaded struct {
	// Entries are the entries that the stream still has, in the order of the offsets.
	Entries []Entry
	// Err is set if this split alone could not be read.
	Err error
}

// Peeked describes an entry without its fields.
type Peeked struct {
	// Offset is the offset of the entry; zero if there is none.
	Offset Offset
	// Size is the size of the fields in bytes.
	Size int64
	// Err is set if the store answered without describing the entry.
	Err error
}

// State describes the stream of a split.
type State struct {
	// Exists is false if the stream does not exist. Then all other fields are zero.
	Exists bool
	// Length is the number of entries in the stream.
	Length int64
	// First is the offset of the first entry in the stream; zero if there is none.
	First Offset
	// Last is the offset that was generated last. Its entry may have been removed.
	Last Offset
	// EntriesAdded counts the entries ever added; -1 if the server does not report it.
	EntriesAdded int64
	// MaxDeleted is the highest offset ever removed by XDEL; zero if there is none or the server
	// does not report it.
	MaxDeleted Offset
	// Err is set if the state of this split alone could not be read.
	Err error
}
