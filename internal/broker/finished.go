package broker

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rafka-streams/rafka/splits"
)

// maxFinishedBytes bounds the text of the finished ranges in a lease.
const maxFinishedBytes = 16 << 10

// EncodeFinished returns finished ranges as the text of the lease's field "done", without the
// farthest ranges if the text would be longer than maxFinishedBytes.
//
//	ranges = range *("," range)
//	range  = offset [":" offset]   the first and the last entry, if they differ
//	offset = millis "-" seq        in base 36; millis is the difference from the offset before
func EncodeFinished(ranges []splits.Range) string {
	var text []byte
	var before uint64
	offset := func(o splits.Offset) {
		text = strconv.AppendUint(text, o.Millis-before, 36)
		text = append(text, '-')
		text = strconv.AppendUint(text, o.Seq, 36)
		before = o.Millis
	}
	for i, r := range ranges {
		complete := len(text)
		if i > 0 {
			text = append(text, ',')
		}
		offset(r.First)
		if r.First != r.Last {
			text = append(text, ':')
			offset(r.Last)
		}
		if len(text) > maxFinishedBytes {
			return string(text[:complete])
		}
	}
	return string(text)
}

// DecodeFinished reads what EncodeFinished returned. Ranges that do not ascend are an error: they
// could hide entries that were never processed.
func DecodeFinished(text string) ([]splits.Range, error) {
	if text == "" {
		return nil, nil
	}
	var ranges []splits.Range
	var before splits.Offset
	for word := range strings.SplitSeq(text, ",") {
		first, last, several := strings.Cut(word, ":")
		var r splits.Range
		var err error
		if r.First, err = decodeOffset(first, before); err != nil {
			return nil, err
		}
		r.Last = r.First
		if several {
			if r.Last, err = decodeOffset(last, r.First); err != nil {
				return nil, err
			}
		}
		ranges, before = append(ranges, r), r.Last
	}
	return ranges, nil
}

// decodeOffset reads an offset that lies behind another one.
func decodeOffset(text string, before splits.Offset) (o splits.Offset, err error) {
	millis, seq, ok := strings.Cut(text, "-")
	if ok {
		if o.Millis, err = strconv.ParseUint(millis, 36, 64); err == nil {
			o.Seq, err = strconv.ParseUint(seq, 36, 64)
		}
	}
	o.Millis += before.Millis
	if !ok || err != nil || !before.Before(o) {
		return o, fmt.Errorf(
			"the finished ranges of the lease contain %q, which is not an offset behind %s",
			text,
			before,
		)
	}
	return o, nil
}
