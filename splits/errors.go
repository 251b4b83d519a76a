package splits

import (
	"errors"
	"fmt"
	"time"
)

// ErrFenced is the answer to a request under a lease that is not the member's any more: another
// member took the split over, or the store lost the lease. The work under that lease is void; the
// split may be claimed anew.
var ErrFenced = errors.New("fenced: the lease belongs to another epoch")

// ErrSought is the ErrFenced of a lease that an operator ended by moving the position of the group.
// Nothing went wrong: the split is claimed again, and read from there.
var ErrSought = fmt.Errorf("the group was moved (%w)", ErrFenced)

// ErrDeleted is the ErrFenced of a lease that an operator deleted together with the topic. What the
// stream held is gone on purpose.
var ErrDeleted = fmt.Errorf("the topic was deleted (%w)", ErrFenced)

// causeOf returns which of these an answer is.
func causeOf(fenced error) error {
	for _, cause := range []error{ErrSought, ErrDeleted} {
		if errors.Is(fenced, cause) {
			return cause
		}
	}
	return ErrFenced
}

// ErrExpired is the cause with which a lease's context ends when it could not be renewed in time.
var ErrExpired = errors.New("lease expired: it could not be renewed in time")

// ErrRevoked is the cause with which a lease's context ends when its split was given up in a
// rebalance or on Close.
var ErrRevoked = errors.New("split revoked")

// ErrClosed is returned by the methods of a Consumer that was closed.
var ErrClosed = errors.New("consumer closed")

// ErrUnfinished is in the error of a Fetch whose answer did not arrive completely: it took too
// long, or the connection broke. The answer may have been too large for the connection or for a
// limit of the store, so the next request asks for less.
var ErrUnfinished = errors.New("the answer did not arrive completely")

// HeldError is the answer to a claim of a split whose lease another member holds.
type HeldError struct {
	Owner string
	// Remaining is the time until the lease ends unless its owner renews it.
	Remaining time.Duration
}

// Error names the owner and the time that its lease has left.
func (e *HeldError) Error() string {
	return fmt.Sprintf("held by %s for another %s", e.Owner, e.Remaining)
}

// SupersededError is the answer to a beat of a static member of which a later incarnation lives:
// the caller has no part in the group any more until that one has left or its session has ended.
type SupersededError struct {
	// Member is the static member, By the later incarnation.
	Member, By string
	// Remedy is from Config.Remedies.
	Remedy string
}

// Error says who came, what that means and what to do if it was not meant.
func (e *SupersededError) Error() string {
	text := fmt.Sprintf("superseded: another consumer (%s) joined later as member %s; this one hands out nothing more and "+
		"stands by until the session of the other one has ended", e.By, e.Member)
	return withRemedy(text, e.Remedy)
}

// LossError is why a split is not read on under Config.FailOnLoss.
type LossError struct {
	Loss Loss
	// Remedy is from Config.Remedies.
	Remedy string
}

// Error says what was lost, where, and what to do.
func (e *LossError) Error() string {
	return withRemedy(fmt.Sprintf("partition %s is not read any further: %s", e.Loss.Split, e.Loss.what()), e.Remedy)
}

// withRemedy adds a remedy to the text of an error, if there is one.
func withRemedy(text, remedy string) string {
	if remedy == "" {
		return text
	}
	return text + ". " + remedy
}

// what says what happened, in half a sentence.
func (l Loss) what() string {
	if !l.Recreated {
		return fmt.Sprintf("%s after offset %s were lost before they were read", l.count(), l.After)
	}
	text := "its stream was recreated or went back in time"
	if l.Gone {
		text = "its stream is gone"
	}
	text += " after it had been read up to offset " + l.After.String()
	if l.Entries > 0 {
		text += fmt.Sprintf(" (%s in it had not been read)", l.count())
	}
	return text
}

func (l Loss) count() string {
	if l.Exact {
		return fmt.Sprintf("%d entries", l.Entries)
	}
	return fmt.Sprintf("at least %d entries", l.Entries)
}

// EntryError is why a split is not read on while others are: its next entry does not arrive,
// although the request asks for nothing else.
type EntryError struct {
	Split Split
	// After is the position behind which the entry lies.
	After Offset
	// Next describes the entry.
	Next Peeked
	// Cause is the error of the last attempt.
	Cause error
}

// Error names the entry, its size and the cause.
func (e *EntryError) Error() string {
	return fmt.Sprintf("partition %s can't be read on: %s does not arrive: %v", e.Split, e.Entry(), e.Cause)
}

// Entry names the entry and its size.
func (e *EntryError) Entry() string {
	if e.Next.Err != nil {
		return fmt.Sprintf("the entry after offset %s (its size is not known: %v)", e.After, e.Next.Err)
	}
	return fmt.Sprintf("the entry at offset %s, the next after %s, with %d bytes", e.Next.Offset, e.After, e.Next.Size)
}

// Unwrap returns the cause.
func (e *EntryError) Unwrap() error { return e.Cause }

// UnavailableError is what Poll returns when there is nothing to hand out and the store can't be
// reached, or not all of it.
type UnavailableError struct{ Cause error }

// Error names the cause.
func (e *UnavailableError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Cause }
