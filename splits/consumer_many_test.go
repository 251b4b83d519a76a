package splits_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Fifty members that join at the same time share a thousand splits evenly. They leave one after the
// other and hand over their splits within two heartbeats. All entries are read, once and in order.
func TestFiftyMembersShareAThousandSplits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, count = 1000, 50
		w := newWorld(t, partitions)
		written := 0
		write := func() {
			for _, s := range w.store.Splits("orders") {
				w.store.Append(s, "n", fmt.Sprint(written))
			}
			written++
		}
		write()
		var members []*member
		for i := range count {
			members = append(members, w.join(fmt.Sprintf("member%02d", i)))
		}
		shared := func(left []*member) bool {
			owned := 0
			for _, m := range left {
				n := m.Owned()
				if n < partitions/len(left) || n > (partitions+len(left)-1)/len(left) {
					return false
				}
				owned += n
			}
			return owned == partitions
		}
		within := func(limit time.Duration, left []*member) time.Duration {
			t.Helper()
			began := time.Now()
			for !shared(left) {
				require.Less(t, time.Since(began), limit, "%d members do not share the splits", len(left))
				settle(50 * time.Millisecond)
			}
			return time.Since(began)
		}
		t.Logf("shared %s after all came", within(2*heartbeat, members))
		write()
		var longest time.Duration
		for i := range members[1:] {
			members[i].stopGracefully()
			longest = max(longest, within(2*heartbeat, members[i+1:]))
			write()
		}
		t.Logf("shared again at most %s after one left", longest)
		settle(time.Second)
		w.wantOnce(written, members...)
		assert.Equal(t, partitions, members[count-1].Owned())
	})
}
