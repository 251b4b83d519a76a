package splits

import (
	"context"
	"errors"
	"time"
)

// The two interfaces below are all that a ShareConsumer requires of a store: ShareGroup is the
// membership, Shares are the entries. internal/broker implements them on Redis, splitstest.Store in
// memory, and splitstest.TestShares is the test suite that both pass. All methods are safe for
// concurrent use. Any error other than the errors named here means that the outcome is unknown: the
// request may have been applied, may be applied later, or may never be applied.
//
// A share group delivers each entry of each split to one member, which acknowledges the entry when
// it has been processed. Between delivery and acknowledgement the entry is pending at that member.
// The generation of a split in a group changes whenever the group's deliveries of that split start
// again from another place: an operator moved the group, or the store lost the group. An
// acknowledgement under another generation has no effect, since it would remove an entry that is
// to be delivered again.

// ErrGone is returned for a beat of a member that the group does not list any more: its session
// ended, or the store lost the members. The group never lists that name again, and other members
// may take over what was pending at it. The caller joins under a new name.
var ErrGone = errors.New("the session of this member has ended")

// ErrNoGroup is returned for a split in which the store does not have the group, or which does not
// exist. Open creates the group.
var ErrNoGroup = errors.New("the group does not exist in this partition")

// ErrStale is returned for an acknowledgement under a generation that has ended.
var ErrStale = errors.New("stale: the group was moved or created again")

// ShareGroup is the membership of one share group of one topic.
type ShareGroup interface {
	// Beat adds the member or extends its membership to b.TTL from now, removes members whose
	// membership has ended, and returns the group after that. A change of the members or of the
	// number of splits increases the version. The error is ErrGone if b.Continues is set and the
	// group does not list the member, and a *SupersededError if a later incarnation of the member
	// is alive: then nothing was changed.
	Beat(ctx context.Context, b ShareBeat) (ShareView, error)
	// Leave removes the member, and sends a hint. It is not an error if the group does not have the
	// member.
	Leave(ctx context.Context, member string) error
	// Wake is the same as Group.Wake.
	Wake(ctx context.Context, notify func()) error
}

// ShareBeat is one heartbeat of a member of a share group.
type ShareBeat struct {
	Member string
	// Owner is the incarnation of a static member; empty for other members.
	Owner string
	TTL   time.Duration
	// Known is the version of the group whose members the caller knows, 0 if none.
	Known uint64
	// Continues is set if an earlier beat under the same name succeeded.
	Continues bool
	// Rejoin is set if the caller was a member before, under this name or another. If the store
	// does not know the group then, the store has lost it, and all entries of the topic must be
	// read.
	Rejoin bool
}

// ShareView is a share group as one beat returned it.
type ShareView struct {
	// Version increases with every change of the members or of the number of splits.
	Version uint64
	// Next is the time until the earliest deadline of any member: a beat then detects the end of a
	// member immediately.
	Next time.Duration
	// Splits are the splits of the topic, in the order of their partitions.
	Splits []Split
	// Initial is the number of splits that the topic had when the group was created. Later splits
	// are read from their first entry, whatever the start is.
	Initial int
	// Members are the names at which entries of live members are pending: the incarnation of a
	// static member, the member itself otherwise. It is set if Version differs from
	// ShareBeat.Known.
	Members []string
	// Departed are such names of members that left or whose session ended, the latest last. The
	// store keeps some of them only. It is set together with Members.
	Departed []string
}

// Shares are the entries of the splits of one topic, as a share group reads them. A name is one of
// ShareView.Members. Names of other topics and of other programs that use the same group do not
// appear in any answer. Answers have the order of the requests.
type Shares interface {
	// Open creates the group in each split that does not have it. It never creates the stream: if
	// there is none, Exists is false, and the store keeps that everything in a later stream is to
	// be delivered. A group that the store lost continues before the lowest entry that may not have
	// been acknowledged, as far as the store knows, or at the first entry if the stream does not
	// reach that entry any more: then Reset is set. A group without any history begins at Start.
	Open(ctx context.Context, opens []ShareOpen) []ShareOpened
	// Read delivers new entries to the member. It does not deliver an entry twice. It never creates
	// a stream or a group. An error concerns the whole request; it is ErrUnfinished if a smaller
	// request might succeed. After any error, entries may be pending at the member.
	Read(ctx context.Context, req ShareRead) ([]Delivered, error)
	// Acknowledge ends the delivery of entries, whichever member they are pending at. The error is
	// ErrStale if the generation has ended; then nothing was changed. ShareAck.Delete asks for the
	// entries to be deleted too.
	Acknowledge(ctx context.Context, acks []ShareAck) []ShareAcked
	// Pending lists the offsets that are pending at a name, in ascending order. It changes nothing
	// in the store, and returns no more than Most of each split.
	Pending(ctx context.Context, req SharePending) []ShareHeld
	// Holders lists the names that the group knows in each split, with the number of entries that
	// are pending at each, the lag of the group, and the oldest entry that is pending.
	Holders(ctx context.Context, splits []Split) []ShareHolders
	// Take makes up to Most entries that are pending at one name pending at another. If nothing
	// is pending at the first name then, the store forgets the name in this split, with all that
	// Suspect and Survive have stored of it. Take does not count as a delivery. If ShareTake.Died is
	// set, the store counts in the same step what that says of the entries that are taken: see
	// ShareSuspects.
	Take(ctx context.Context, t ShareTake) (ShareTaken, error)
	// TakeIdle makes up to Most entries pending at a member that are pending at other programs, and
	// that were not delivered or claimed for a time. It never takes an entry from a name of a
	// member of any topic. TakeIdle does not count as a delivery.
	TakeIdle(ctx context.Context, t ShareTakeIdle) (ShareTaken, error)
	// Load returns entries by their offsets, what Note has stored of them, and what Take has counted.
	// It does not change where they are pending.
	Load(ctx context.Context, l ShareLoad) (ShareLoaded, error)
	// Note changes what is stored of entries that failed. The error is ErrStale if the generation
	// has ended; then nothing was changed. What was stored under another generation is removed. The
	// store keeps what is stored of an entry until it is removed, or at least while the entry is
	// pending.
	Note(ctx context.Context, notes []ShareNote) []error
	SharePoison
}

// MaxTake is the largest number of entries that one Take moves. MaxAcknowledge is the largest
// number of entries of one ShareAck.
const (
	MaxTake        = 100
	MaxAcknowledge = 1000
)

// ShareOpen is a request to open one split.
type ShareOpen struct {
	Split Split
	Start Start
}

// ShareOpened is the answer to one ShareOpen.
type ShareOpened struct {
	// Exists is true if the stream exists: then the group exists.
	Exists bool
	// Generation is the current generation of the split.
	Generation uint64
	// Reset is true if the group was created at the first entry, because the stream is not the one
	// that the group had read.
	Reset bool
	Err   error
}

// ShareRead is a request for new entries. All splits must be in one fetch group.
type ShareRead struct {
	Member string
	Splits []Split
	// Count is the maximum number of entries of each split.
	Count int
	// Block is how long to wait if no split has new entries; 0 means not to wait.
	Block time.Duration
}

// Delivered is the answer to a ShareRead for one split.
type Delivered struct {
	Entries []Entry
	// Generation is the generation of the split just before the read; 0 if the store has none.
	Generation uint64
	// Err is set if this split alone could not be read: ErrNoGroup if Open is required.
	Err error
}

// ShareAck acknowledges up to MaxAcknowledge entries of one split.
type ShareAck struct {
	Split      Split
	Generation uint64
	Offsets    []Offset
	// Delete deletes the entries in the same step, unless another group may read them: a group that
	// has beaten on this topic, or any other group that the stream has. The store knows the groups
	// of the topic by the last beat of a member in this process, for ShareBeat.TTL after that beat.
	// If it does not know them, it deletes nothing.
	Delete bool
}

// ShareAcked is the answer to one ShareAck.
type ShareAcked struct {
	// Generation is the current generation, if Err is ErrStale.
	Generation uint64
	// Kept is why the entries were acknowledged and not deleted, although ShareAck.Delete is set.
	Kept error
	Err  error
}

// SharePending is a request for what is pending at a name.
type SharePending struct {
	Member string
	Splits []Split
	Most   int
}

// ShareHeld is the answer for one split.
type ShareHeld struct {
	Offsets []Offset
	// Generation is the generation of the split just before the request.
	Generation uint64
	Err        error
}

// ShareHolders is the answer of Holders for one split.
type ShareHolders struct {
	Holders []ShareHolder
	// Lag is the number of entries that were not delivered, -1 if unknown.
	Lag int64
	// Oldest is the lowest offset that is pending, also at other programs; zero if there is none.
	Oldest Offset
	Err    error
}

// ShareHolder is a name that the group knows in one split.
type ShareHolder struct {
	Member  string
	Pending int
}

// ShareTake is a request to take over entries. From and To differ.
type ShareTake struct {
	Split    Split
	From, To string
	// Died is true if the session of From has ended, as far as the caller knows, and From is not a
	// name of the caller.
	Died bool
	// Most is at most MaxTake.
	Most int
}

// ShareTakeIdle is a request to take over entries from other programs.
type ShareTakeIdle struct {
	Split Split
	To    string
	// Idle is how long an entry must have been pending without a delivery.
	Idle time.Duration
	// Most is at most MaxTake.
	Most int
}

// ShareTaken is the answer to a ShareTake or a ShareTakeIdle.
type ShareTaken struct {
	// Offsets are pending at the member that took them over now.
	Offsets []Offset
	// Lost were pending, but are not in the stream. They are not pending any more.
	Lost []Offset
	// More is true if there may be further entries to take over.
	More bool
	// Generation is the generation of the split at that moment.
	Generation uint64
}

// ShareLoad is a request for entries. Offsets ascend.
type ShareLoad struct {
	Split   Split
	Offsets []Offset
	// Generation is the generation of the split in which they became pending at the member.
	Generation uint64
	// Bytes bounds the size of the answer: entries are returned until their fields have this size.
	// The answer has at least one entry that exists. If Bytes is 0, the answer has no entry, but
	// the size of the first one.
	Bytes int
}

// ShareNote is a request to change what is stored of the entries of one split that failed.
type ShareNote struct {
	Split      Split
	Generation uint64
	Member     string
	// Failing are the entries to store. They replace what is stored of the same entries. An entry
	// that is not pending at Member is left as it is.
	Failing []Attempted
	// Resolved are the entries that are not to be stored any more. An entry that is pending, at any
	// member, is left as it is.
	Resolved []Offset
}

// ShareLoaded is the answer to a ShareLoad. It concerns the first Looked offsets of the request;
// those without an entry are not in the stream.
type ShareLoaded struct {
	Entries []Entry
	Looked  int
	// Size is the size of the fields in bytes, if ShareLoad.Bytes is 0.
	Size int64
	// Failing are the entries, in the stream or not, of which something is stored under
	// ShareLoad.Generation, in the order of their offsets.
	Failing []Attempted
	// Suspected are the entries, in the stream or not, that were taken over from members that died,
	// under ShareLoad.Generation, in the order of their offsets.
	Suspected []Suspected
}
