package splits

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the previous plan is, no balanced plan leaves more partitions with their owners. The
// test tries all plans, so there are few members and partitions.
func FuzzAssignMovesNoMoreThanAnyBalancedPlan(f *testing.F) {
	f.Add(uint8(2), uint8(5), []byte{0, 0, 0, 1, 0, 2, 0, 3, 0, 4})
	f.Add(uint8(3), uint8(7), []byte{3, 0, 3, 1, 1, 2, 1, 3, 2, 4, 0, 5})
	f.Add(uint8(1), uint8(3), []byte{1, 0, 1, 1})
	f.Add(uint8(1), uint8(0), []byte{1, 200})
	f.Fuzz(func(t *testing.T, count, splits uint8, claims []byte) {
		names := memberNames(4)
		members := names[:1+count%3]
		previous := map[string][]int{}
		for pair := range slices.Chunk(claims, 2) {
			if len(pair) == 2 {
				name := names[int(pair[0])%len(names)]
				previous[name] = append(previous[name], int(int8(pair[1])))
			}
		}
		owners := claimants(members, int(splits%8), previous)
		plan := Assign(members, len(owners), previous)
		require.Equal(t, mostStays(owners, members), stays(owners, plan), "previously %v, now %v", previous, plan)
	})
}
