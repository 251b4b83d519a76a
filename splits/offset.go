package splits

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Offset is the ID of a Redis stream entry: milliseconds and a sequence number. Both are full
// unsigned 64-bit numbers, which a float cannot represent. The zero Offset is "0-0", before any
// entry.
type Offset struct {
	Millis uint64
	Seq    uint64
}

// ParseOffset reads "ms-seq", or "ms" alone, which stands for "ms-0", as Redis does.
func ParseOffset(text string) (Offset, error) {
	ms, seq, both := strings.Cut(text, "-")
	var o Offset
	var err error
	if o.Millis, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return Offset{}, fmt.Errorf("offset %q is not a stream ID of the form ms-seq", text)
	}
	if both {
		if o.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
			return Offset{}, fmt.Errorf("offset %q is not a stream ID of the form ms-seq", text)
		}
	}
	return o, nil
}

// String returns the "ms-seq" form.
func (o Offset) String() string {
	return strconv.FormatUint(o.Millis, 10) + "-" + strconv.FormatUint(o.Seq, 10)
}

// Compare returns -1, 0 or +1 as o lies before, at or after p.
func (o Offset) Compare(p Offset) int {
	if c := cmp.Compare(o.Millis, p.Millis); c != 0 {
		return c
	}
	return cmp.Compare(o.Seq, p.Seq)
}

// maxOffset returns the higher one of two offsets.
func maxOffset(a, b Offset) Offset {
	if a.Before(b) {
		return b
	}
	return a
}

// Before reports whether o lies before p.
func (o Offset) Before(p Offset) bool { return o.Compare(p) < 0 }

// age returns the time since the entry with this offset was written; 0 for the zero Offset.
func (o Offset) age(now time.Time) time.Duration {
	if o == (Offset{}) {
		return 0
	}
	return max(0, now.Sub(time.UnixMilli(int64(min(o.Millis, 1<<62)))))
}

// Prev returns the greatest offset below o: reading after it starts at o. The predecessor of "0-0"
// is "0-0".
func (o Offset) Prev() Offset {
	switch {
	case o.Seq > 0:
		return Offset{o.Millis, o.Seq - 1}
	case o.Millis > 0:
		return Offset{o.Millis - 1, math.MaxUint64}
	}
	return Offset{}
}

// Next returns the smallest offset above o. The greatest offset is its own successor.
func (o Offset) Next() Offset {
	switch {
	case o.Seq < math.MaxUint64:
		return Offset{o.Millis, o.Seq + 1}
	case o.Millis < math.MaxUint64:
		return Offset{o.Millis + 1, 0}
	}
	return o
}

// CountUnknown is the EntriesRead of a Position whose count is not known, for example after a seek.
const CountUnknown int64 = -1

// Position is a place in a split, behind the entry at Offset.
type Position struct {
	Offset Offset
	// EntriesRead counts the entries that were ever added to the stream up to Offset (entries-read
	// of a Redis consumer group), or is CountUnknown.
	EntriesRead int64
}

// worthStoringOver reports whether the position is to be stored over an older one: it is further
// on, or its count is better known. If a count did not include losses that were found since, the
// next owner would find the same losses again.
func (p Position) worthStoringOver(stored Position) bool {
	if p.Offset == stored.Offset {
		return p.EntriesRead >= 0 && p.EntriesRead != stored.EntriesRead
	}
	return stored.Offset.Before(p.Offset)
}

// Entry is one record of a split. Fields alternates names and values as Redis returns them: order
// and repetitions are kept, and the strings are not copied.
type Entry struct {
	Offset Offset
	Fields []string
}

// Size estimates the bytes that the entry needs in memory.
func (e Entry) Size() int {
	size := 64
	for _, f := range e.Fields {
		size += len(f) + 16
	}
	return size
}
