package splits

import (
	"fmt"
	"time"
)

// Start is where a group begins to read a split that has no committed position. The zero Start is
// Earliest.
type Start struct {
	kind startKind
	at   Offset
}

type startKind int

const (
	startEarliest startKind = iota
	startLatest
	startAt
	startAdopt
)

// Earliest starts at the first entry of the stream.
func Earliest() Start { return Start{} }

// Latest starts behind the last entry at the time of the group's first claim of the split.
func Latest() Start { return Start{kind: startLatest} }

// StartAt starts at the first entry whose offset is o or higher.
func StartAt(o Offset) Start { return Start{kind: startAt, at: o} }

// Adopt continues where a foreign group of the same name stands, see Adoptions. A split for which the
// store has no such group can't be claimed.
func Adopt() Start { return Start{kind: startAdopt} }

// IsAdopt reports whether the start is Adopt.
func (s Start) IsAdopt() bool { return s.kind == startAdopt }

// IsLatest reports whether the start is Latest.
func (s Start) IsLatest() bool { return s.kind == startLatest }

// IsEarliest reports whether the start is Earliest.
func (s Start) IsEarliest() bool { return s.kind == startEarliest }

// At returns the offset of a StartAt, and whether it is one.
func (s Start) At() (Offset, bool) { return s.at, s.kind == startAt }

// ParseStart parses "earliest", "latest", a time (RFC 3339) or the ID of an entry. Times and IDs
// are inclusive. A time before 1970 or after now is an error, which names the value to use instead.
func ParseStart(text string, now time.Time) (Start, error) {
	switch text {
	case "earliest":
		return Earliest(), nil
	case "latest":
		return Latest(), nil
	}
	at, err := ParseOffset(text)
	if t, timeErr := time.Parse(time.RFC3339, text); timeErr == nil {
		if t.UnixMilli() < 0 {
			return Start{}, fmt.Errorf("%s lies before 1970: use earliest", text)
		}
		at, err = Offset{Millis: uint64(t.UnixMilli())}, nil
	}
	if err != nil {
		return Start{}, fmt.Errorf("%q is not supported: use earliest, latest, a time such as 2026-01-31T08:00:00Z, "+
			"or the ID of an entry such as 1767225600000-0", text)
	}
	if at.Millis > uint64(now.UnixMilli()) {
		return Start{}, fmt.Errorf("%s lies in the future: use latest to read only what comes from now on", text)
	}
	return StartAt(at), nil
}
