package splits_test

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// even reports whether the number of an entry is even.
func even(e splits.Entry) bool {
	n, err := strconv.Atoi(field(e, "n"))
	return err == nil && n%2 == 0
}

// odds are the odd numbers below n.
func odds(n int) (all []string) {
	for i := 1; i < n; i += 2 {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

func TestEntriesThatArePassedOverCountAsProcessed(t *testing.T) {
	for name, ordering := range map[string]splits.Ordering{
		"ordered": splits.ByPartition, "by key": splits.ByKey, "unordered": splits.Unordered,
	} {
		for _, batch := range []int{1, 2, 500} {
			t.Run(fmt.Sprint(name, ", batches of ", batch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					w.fill(101) // the last one is passed over too
					a := w.join("a", func(c *splits.Config, _ *member) {
						c.BatchSize, c.Ordering, c.PassOver = batch, ordering, even
					})
					settle(5 * time.Second)
					assert.Equal(t, odds(101), a.texts())
					assert.Equal(t, 51, a.passed)
					assert.EqualValues(t, 101, w.lease(0).Position.EntriesRead, "all of them are committed")
				})
			})
		}
	}
}

func TestPartitionOfWhichAllIsPassedOverIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.fill(2000)
		a := w.join("a", func(c *splits.Config, _ *member) {
			c.PassOver = func(splits.Entry) bool { return true }
			c.SplitBuffer = 1000 // their room must become free again
		})
		settle(5 * time.Second)
		assert.Empty(t, a.deliveries())
		assert.Equal(t, 4000, a.passed)
		for i := range 2 {
			assert.EqualValues(t, 2000, w.lease(i).Position.EntriesRead)
		}
	})
}

func TestPendingEntriesOfAnAdoptionArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(1, 2, 7, 10)
		a := w.join("a", adopting, func(c *splits.Config, _ *member) { c.PassOver = even })
		settle(10 * time.Second)
		assert.Equal(t, append([]string{"1", "7"}, odds(20)[6:]...), a.texts())
		w.adopted(0)
		assert.Equal(t, 6, a.passed)
	})
}

func TestShareGroupPassesEntriesOver(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(2000)
		a := w.share("a", func(c *splits.ShareConfig, _ *sharer) { c.PassOver, c.CheckpointLimit = even, 10 })
		settle(5 * time.Second)
		got := map[int][]string{}
		for _, d := range a.deliveries() {
			got[d.split.Partition] = append(got[d.split.Partition], d.number)
		}
		for i := range 2 {
			assert.Equal(t, odds(2000), got[i])
			assert.Empty(t, w.pending(i), "all of them are acknowledged")
		}
		assert.Equal(t, 2000, a.passed)
		requireNoErrors(t, a)
	})
}
