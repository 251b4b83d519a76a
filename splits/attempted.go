package splits

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Attempted is an entry that failed alone and has not been resolved, as a store keeps it for the
// next owner of the split.
type Attempted struct {
	Offset Offset
	// Attempts is how often the entry failed while it must have been the cause of the failure.
	Attempts int
	// Age is the time since the first of these failures.
	Age time.Duration
	// Lettered is true if the dead letter of the entry has been written. A store that has stored it
	// keeps it, whatever it stores of the entry later.
	Lettered bool
	// Cause is the text of the last error, in one line of at most MaxCause bytes.
	Cause string
}

const (
	// MaxAttempted is the number of entries of one split that a store keeps for one group. The
	// attempts of more entries are not kept: such entries are delivered more often.
	MaxAttempted = 1024
	// MaxCause is the largest size of Attempted.Cause in bytes.
	MaxCause = 200
)

// Note is a request to change what is stored of the entries of a split that failed.
type Note struct {
	Lease Lease
	// Failing are the entries to store. They replace what is stored of the same entries.
	Failing []Attempted
	// Resolved are the entries that are not to be stored any more.
	Resolved []Offset
}

// OneLine returns a text as Attempted.Cause: without control characters, and cut to MaxCause bytes.
func OneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029'
	}), " ")
	return CutText(text, MaxCause)
}

// CutText returns the text, or its beginning of at most most bytes without a part of a character.
func CutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
