package splits

import "context"

// Adoptions are the foreign groups from which splits are adopted. A foreign group is a group of
// another program in the same store. It has a position, and pending entries: entries that it has
// delivered and that were not acknowledged.
//
// The adoption of a split begins with its first claim under Adopt, or with a request of an operator:
// the position of the foreign group becomes the committed position. While the adoption lasts, every
// claim returns Granted.Adopting, and the store changes the foreign group in Settle only. The
// adoption ends when a Settle finds nothing pending.
//
// The methods are safe for concurrent use. Errors mean the same as for the other interfaces of a
// store.
type Adoptions interface {
	// Pending returns pending entries of one split in the order of their offsets. A split that is not
	// being adopted has none. The error is ErrUnfinished if a smaller request might succeed.
	Pending(ctx context.Context, req PendingRequest) (PendingPage, error)
	// Settle acknowledges entries of each split in its foreign group. It ends the adoption if nothing
	// is pending there any more. The answers have the order of the requests. The error of an answer is
	// ErrFenced if the member does not have the lease under that epoch any more, as for a commit.
	Settle(ctx context.Context, all []Settlement) []Settled
}

// PendingRequest is a request for pending entries of one split.
type PendingRequest struct {
	Split Split
	// After is the offset before the range, UpTo the last offset in it.
	After, UpTo Offset
	// MaxEntries bounds the number of entries. MaxBytes bounds their size: the answer ends with the
	// entry that reaches it.
	MaxEntries, MaxBytes int
}

// PendingPage are the pending entries in a range, or in its first part.
type PendingPage struct {
	Entries []Entry
	// Gone are the offsets of entries that are pending, and that the stream does not have any more.
	Gone []Offset
	// Through is the last offset of the part of the range that the page covers.
	Through Offset
	// More is true if the range has more entries behind Through.
	More bool
}

// Settlement is a request to acknowledge entries in a foreign group.
type Settlement struct {
	Lease Lease
	// Done are the entries to acknowledge, at most MaxSettled.
	Done []Offset
	// Behind is the position from which the split was read under this lease. Everything behind it up
	// to the committed position has been processed, and is acknowledged too.
	Behind Offset
}

// MaxSettled is the maximum number of entries that one Settlement names.
const MaxSettled = 1000

// Settled is the answer to one Settlement.
type Settled struct {
	// Pending is the number of entries that are still pending. If it is 0, the adoption has ended.
	Pending int64
	Err     error
}
