package splits

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DeadLetters configures which entries are given up after they have kept failing. Without Letters,
// no entry is given up.
type DeadLetters struct {
	Letters Letters
	// MaxDeliveries is how often an entry must fail while it must have been the cause, before it is
	// given up. Default 5.
	MaxDeliveries int
	// MaxBackoff is the wait before the last of these deliveries; the waits before it are shorter.
	// Default 5s.
	MaxBackoff time.Duration
	// MinAge is how long an entry must have failed before it is given up without evidence that
	// other entries can be processed, because there are no other entries. Default 10m.
	MinAge time.Duration
	// Match reports whether an entry that fails with this error is given up at the first failure of
	// which the entry must have been the cause. Nil: no entry is.
	Match func(error) bool
}

func (d DeadLetters) withDefaults() DeadLetters {
	setDefault(&d.MaxDeliveries, 5)
	setDefault(&d.MaxBackoff, maxRetryWait)
	setDefault(&d.MinAge, 10*time.Minute)
	return d
}

// Letters keeps the entries that are given up.
type Letters interface {
	// Write stores a letter. After an error the letter may have been stored: it is written again
	// later, unless its entry is processed meanwhile. So Write must not store an entry twice.
	Write(ctx context.Context, l Letter) error
}

// Letter is an entry that is given up.
type Letter struct {
	Split Split
	Entry Entry
	// Key is the order key of the entry, if it has one.
	Key string
	// Deliveries is how often the entry failed while it must have been the cause: see
	// Batch.Attempts.
	Deliveries int
	// Age is the time since the first failure of which the entry must have been the cause.
	Age time.Duration
	// Cause is the last error.
	Cause error
}

// inARow is how many entries are given up without a success in between.
const inARow = 3

// OutputDownError is the error that a consumer reports while it gives up no entries because none is
// processed: what processes them probably fails itself.
type OutputDownError struct {
	// GivenUp is the number of entries that were given up since the last one was processed.
	GivenUp int
}

// Error describes what was observed, and what follows from it.
func (e *OutputDownError) Error() string {
	failing := "messages keep failing"
	if e.GivenUp > 0 {
		failing = fmt.Sprintf("%d messages in a row were given up", e.GivenUp)
	}
	return failing + ", and none was processed in between: what processes them probably fails itself, so no more " +
		"messages are given up for now"
}

// LetterError is the error that a consumer reports while a letter can't be written.
type LetterError struct {
	Split  Split
	Offset Offset
	Cause  error
}

// Error names the entry.
func (e *LetterError) Error() string {
	return fmt.Sprintf("the dead letter of message %s in %s can't be written, and the message is tried again: %v",
		e.Offset, e.Split, e.Cause)
}

// Unwrap returns the cause.
func (e *LetterError) Unwrap() error { return e.Cause }

// storedCause is the text of an error that another member had.
func storedCause(text string) error { return errors.New(text) }
