package splits

// Start says where a group begins to read a split that has no committed position. The zero Start is Earliest.
type Start struct {
	kind startKind
	at   Offset
}

type startKind int

const (
	startEarliest startKind = iota
	startLatest
	startAt
)

// Earliest starts at the first entry that is there.
func Earliest() Start { return Start{} }

// Latest starts behind the last entry that was generated when the group first claims the split.
func Latest() Start { return Start{kind: startLatest} }

// StartAt starts at the first entry whose offset is o or higher.
func StartAt(o Offset) Start { return Start{kind: startAt, at: o} }

// IsLatest reports whether the start is Latest.
func (s Start) IsLatest() bool { return s.kind == startLatest }

// IsEarliest reports whether the start is Earliest.
func (s Start) IsEarliest() bool { return s.kind == startEarliest }

// At returns the offset of a StartAt, and whether it is one.
func (s Start) At() (Offset, bool) { return s.at, s.kind == startAt }
