package splits

import (
	"errors"
	"fmt"
	"time"
)

// ErrFenced is returned for a request under a lease that the member has lost: another member took
// over the split, or the store lost the lease. The work under that lease is void. The split can be
// claimed again.
var ErrFenced = errors.New("fenced: the lease belongs to another epoch")

// ErrMoved is an ErrFenced: an operator ended the lease by moving the position of the group. The
// split is claimed again, and read from the new position.
var ErrMoved = fmt.Errorf("the group was moved (%w)", ErrFenced)

// ErrSkipped is an ErrFenced: an operator ended the lease by skipping an entry. The split is
// claimed again, and read without that entry.
var ErrSkipped = fmt.Errorf("an entry was skipped (%w)", ErrFenced)

// ErrDeleted is an ErrFenced: an operator deleted the lease together with the topic. The entries of
// the stream are gone on purpose.
var ErrDeleted = fmt.Errorf("the topic was deleted (%w)", ErrFenced)

// causeOf returns which of these errors err is.
func causeOf(fenced error) error {
	for _, cause := range []error{ErrMoved, ErrSkipped, ErrDeleted} {
		if errors.Is(fenced, cause) {
			return cause
		}
	}
	return ErrFenced
}

// ErrRolledBack is the cause with which a lease is lost if the stream is not the one in which its
// position was reached. The split is claimed again and read from where the histories diverge.
var ErrRolledBack = errors.New("the stream was recreated or rolled back")

// ErrExpired is the cause of a lost lease that could not be renewed in time.
var ErrExpired = errors.New("lease expired: it could not be renewed in time")

// ErrRevoked is the cause with which a lease ends if its split was given up, in a rebalance or by
// Close.
var ErrRevoked = errors.New("split revoked")

// ErrClosed is returned by the methods of a Consumer that was closed.
var ErrClosed = errors.New("consumer closed")

// ErrUnfinished is returned by a Fetch whose answer did not arrive completely: it took too long, or
// the connection broke. The answer may have been too large for the connection or for a limit of the
// store, so the next request asks for less.
var ErrUnfinished = errors.New("the answer did not arrive completely")

// HeldError is returned for a claim of a split whose lease another member has.
type HeldError struct {
	Owner string
	// Remaining is the time until the lease ends unless its owner renews it.
	Remaining time.Duration
}

// Error names the owner and the remaining time of its lease.
func (e *HeldError) Error() string {
	return fmt.Sprintf("held by %s for another %s", e.Owner, e.Remaining)
}

// SupersededError is returned for a beat of a static member if a later incarnation of the member is
// alive. The caller is not a member of the group until that one has left or its session has ended.
type SupersededError struct {
	// Member is the static member, By the later incarnation.
	Member, By string
	// Remedy is from Config.Remedies.
	Remedy string
}

// Error names the later incarnation and the effect, and adds the remedy.
func (e *SupersededError) Error() string {
	text := fmt.Sprintf("superseded: another consumer (%s) joined later as member %s; this one hands out "+
		"nothing more and stands by until the session of the other one has ended", e.By, e.Member)
	return withRemedy(text, e.Remedy)
}

// LossError is why a split is not read any further, under Config.FailOnLoss.
type LossError struct {
	Loss Loss
	// Remedy is from Config.Remedies.
	Remedy string
}

// Error names the split and the loss, and adds the remedy.
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

// what describes the loss in a clause.
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

// EntryError is why a split is not read any further while other splits are: its next entry does not
// arrive, although the request asks for nothing else.
type EntryError struct {
	Split Split
	// After is the position before the entry.
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

// PoisonError is why an entry is not handed out for a while: it seems to kill the process.
type PoisonError struct {
	// Deaths is the number of owners of the split that died while this entry was in flight and nothing
	// else.
	Deaths int
	// Wait is the time until the entry is handed out again; 0 if it is given up.
	Wait time.Duration
}

// Error names the deaths and the time until the entry is handed out again.
func (e *PoisonError) Error() string {
	text := fmt.Sprintf("%d processes ended while they had this message in flight and nothing else", e.Deaths)
	if e.Wait > 0 {
		text += fmt.Sprintf(", so it is handed out again, alone, in %s", e.Wait.Round(time.Second))
	}
	return text
}

// UnavailableError is returned by Poll if there is nothing to hand out and the store, or a part of
// it, is unavailable.
type UnavailableError struct{ Cause error }

// Error names the cause.
func (e *UnavailableError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Cause }
