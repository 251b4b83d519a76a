package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// A plan is stored as readable JSON that maps each member to the ranges of its partitions:
// {"rafka/a/x1":"0-3,7","rafka/b/x2":"4-6"}. The version of the plan is another field of the same
// hash.

// encodePlan encodes the assignments. Equal assignments have equal texts.
func encodePlan(assignments map[string][]int) (string, error) {
	ranges := make(map[string]string, len(assignments))
	for member, partitions := range assignments {
		ranges[member] = encodeRanges(partitions)
	}
	text, err := json.Marshal(ranges)
	return string(text), err
}

func encodeRanges(partitions []int) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(partitions)))
	var out []byte
	for i := 0; i < len(sorted); {
		last := i
		for last+1 < len(sorted) && sorted[last+1] == sorted[last]+1 {
			last++
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(sorted[i]), 10)
		if last > i {
			out = strconv.AppendInt(append(out, '-'), int64(sorted[last]), 10)
		}
		i = last + 1
	}
	return string(out)
}

// decodePlan decodes a text of encodePlan. The partitions of each member are in ascending order.
func decodePlan(text string, version uint64) (*splits.Plan, error) {
	var ranges map[string]string
	if err := json.Unmarshal([]byte(text), &ranges); err != nil {
		return nil, fmt.Errorf("plan %.40q: %w", text, err)
	}
	plan := &splits.Plan{Version: version, Assignments: make(map[string][]int, len(ranges))}
	for member, text := range ranges {
		partitions, err := decodeRanges(text)
		if err != nil {
			return nil, fmt.Errorf("plan of member %.100q: %w", member, err)
		}
		plan.Assignments[member] = partitions
	}
	return plan, nil
}

// decodeRanges decodes ascending ranges of partitions below MaxPartitions. The maximum limits the
// memory that a damaged plan can use.
func decodeRanges(text string) ([]int, error) {
	partitions := []int{}
	if text == "" {
		return partitions, nil
	}
	next := 0
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < next || to < from || to >= keys.MaxPartitions {
			return nil, fmt.Errorf("%.40q is not a list of ascending ranges of partitions, such as 0-3,7", text)
		}
		for p := from; p <= to; p++ {
			partitions = append(partitions, p)
		}
		next = to + 1
	}
	return partitions, nil
}
