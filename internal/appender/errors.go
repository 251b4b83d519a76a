package appender

import (
	"errors"
	"fmt"
)

// ErrClosed is the error of records that were not sent, or not to the end, because the Appender was
// closed.
var ErrClosed = errors.New("appender closed")

// ErrPartitioned is the error of records that were routed to a plain topic which has been
// partitioned since. They were not written; whoever routed them must look at the topic again and
// route them anew.
var ErrPartitioned = errors.New("the topic was partitioned after its records were routed")

// GaveUpError is the error of records whose append was tried and is not tried any more. It wraps
// the cause of the last attempt (and ErrClosed if closing the Appender ended it).
type GaveUpError struct {
	Target Target
	// Attempts is how often the append was sent.
	Attempts int
	// MayBeWritten says that the outcome of at least one attempt is not known: the records may be
	// in the stream. If so they are there in their place, before everything that the Appender
	// writes to the partition afterwards.
	MayBeWritten bool
	Err          error
}

// Error names the partition, the number of attempts and the last cause.
func (e *GaveUpError) Error() string {
	attempts := "attempts"
	if e.Attempts == 1 {
		attempts = "attempt"
	}
	text := fmt.Sprintf("gave up appending to %s after %d %s: %v", e.Target.Key, e.Attempts, attempts, e.Err)
	if e.MayBeWritten {
		text += " (no answer came to at least one of them, so the records may have been written)"
	}
	return text
}

// Unwrap returns the cause of the last attempt.
func (e *GaveUpError) Unwrap() error { return e.Err }
