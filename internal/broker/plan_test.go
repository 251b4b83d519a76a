package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlanIsCompactAndReadable(t *testing.T) {
	text, err := encodePlan(map[string][]int{"rafka/b/2": {9, 4, 5, 6}, "rafka/a/1": {0, 1, 2, 3, 7, 8}, "idle": nil})
	require.NoError(t, err)
	assert.JSONEq(t, `{"idle":"","rafka/a/1":"0-3,7-8","rafka/b/2":"4-6,9"}`, text)
}

func TestPlanIsDecodedAsEncoded(t *testing.T) {
	plan := map[string][]int{"a": {0, 2, 3, 4, 99_999}, "quote\" <ü>": {1}, "idle": {}}
	text, err := encodePlan(plan)
	require.NoError(t, err)
	decoded, err := decodePlan(text, 7)
	require.NoError(t, err)
	assert.Equal(t, uint64(7), decoded.Version)
	assert.Equal(t, plan, decoded.Assignments)
}

func TestPlanOfAThousandMembersIsSmall(t *testing.T) {
	scattered := map[string][]int{}
	for p := range 10_000 { // the worst case: adjacent partitions always belong to different members
		member := fmt.Sprintf("rafka/some-host-name-%04d/0123456789abcdef", p%1000)
		scattered[member] = append(scattered[member], p)
	}
	text, err := encodePlan(scattered)
	require.NoError(t, err)
	assert.Less(t, len(text), 128<<10)
	decoded, err := decodePlan(text, 1)
	require.NoError(t, err)
	assert.Equal(t, scattered, decoded.Assignments)
}

func TestDamagedPlanIsRejected(t *testing.T) {
	for _, text := range []string{
		"", "x", "[]", `{"a":1}`, `{"a":"x"}`, `{"a":"3-1"}`, `{"a":"1,1"}`, `{"a":"2,1"}`, `{"a":"0-100000"}`,
		`{"a":"-1"}`,
		`{"a":"1,"}`, `{"a":"0-99999999999999999999"}`, `{"a":"1-2-3"}`,
	} {
		_, err := decodePlan(text, 1)
		assert.Error(t, err, text)
	}
}

func FuzzDecodePlan(f *testing.F) {
	f.Add(`{"a":"0-3,7","b":""}`)
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := decodePlan(text, 1)
		if err != nil {
			return
		}
		again, err := encodePlan(plan.Assignments)
		require.NoError(t, err)
		decoded, err := decodePlan(again, 1)
		require.NoError(t, err)
		assert.Equal(t, plan, decoded)
	})
}

// A decoded plan equals the encoded plan, with each member's partitions in ascending order and
// without duplicates.
func FuzzPlansAreReadAsWritten(f *testing.F) {
	f.Add("rafka/a/x1 rafka/b/x2", []byte{0, 1, 2, 3, 7})
	f.Add("a", []byte{5, 5, 4, 255, 0})
	f.Add("", []byte{})
	f.Add("\"<>& \u2028", []byte{9})
	f.Fuzz(func(t *testing.T, names string, partitions []byte) {
		if !utf8.ValidString(names) { // the name of a member is valid UTF-8
			return
		}
		members := strings.Split(names, " ")
		assignments, want := map[string][]int{}, map[string][]int{}
		for i, member := range members {
			all := []int{}
			for j, p := range partitions {
				if j%len(members) == i {
					all = append(all, int(p)*(i+1))
				}
			}
			assignments[member] = all
			want[member] = slices.Compact(slices.Sorted(slices.Values(all)))
			if want[member] == nil {
				want[member] = []int{}
			}
		}
		text, err := encodePlan(assignments)
		require.NoError(t, err)
		plan, err := decodePlan(text, 7)
		require.NoError(t, err)
		require.Equal(t, want, plan.Assignments)
	})
}
