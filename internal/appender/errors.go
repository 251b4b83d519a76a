package appender

import (
	"errors"
	"fmt"
)

// ErrClosed is the error of records that were not sent, or whose retries ended, because the
// Appender was closed.
var ErrClosed = errors.New("appender closed")

// ErrPartitioned is the error of records that were routed to a plain topic which has been
// partitioned since. They are not written. The caller must look up the topic and route the records
// again.
var ErrPartitioned = errors.New("the topic was partitioned after its records were routed")

// GaveUpError is the error of records whose append was sent and is not retried any more. It wraps
// the cause of the last attempt, and ErrClosed if Close ended the retries.
type GaveUpError struct {
	Target Target
	// Attempts is how often the append was sent.
	Attempts int
	// MayBeWritten is true if at least one attempt has an unknown outcome: the records may be in
	// the stream. If they are, they precede everything that the Appender writes to the partition
	// afterwards.
	MayBeWritten bool
	Err          error
}

// Error returns a text with the partition, the number of attempts and the last cause.
func (e *GaveUpError) Error() string {
	attempts := "attempts"
	if e.Attempts == 1 {
		attempts = "attempt"
	}
	text := fmt.Sprintf("gave up appending to %s after %d %s: %v", e.Target.Key, e.Attempts, attempts, e.Err)
	if e.MayBeWritten {
		text += " (at least one attempt has an unknown outcome, so the records may be in the stream)"
	}
	return text
}

// Unwrap returns the cause of the last attempt.
func (e *GaveUpError) Unwrap() error { return e.Err }
