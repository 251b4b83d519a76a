package appender

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAcknowledgedCountsRecordsAfterANumber(t *testing.T) {
	fill := func() *acknowledged {
		h := &acknowledged{}
		for _, n := range []struct {
			Number
			records int
		}{{Number{1, 1}, 10}, {Number{1, 2}, 20}, {Number{1, 3}, 1000}, {Number{3, 1}, 5}, {Number{3, 2}, 1}} {
			h.add(n.Number, n.records)
		}
		return h
	}
	for stored, want := range map[Number]int64{
		{3, 2}: 0, {3, 7}: 0, {4, 1}: 0, {3, 1}: 1, {2, 9}: 6, {1, 3}: 6, {1, 2}: 1006, {1, 1}: 1026, {}: 1036,
	} {
		h := fill()
		assert.Equal(t, Lost{Records: want, Exact: true}, h.takeAfter(stored), "%v", stored)
		assert.Equal(t, Lost{Exact: true}, h.takeAfter(stored), "a loss is returned once: %v", stored)
		h.add(Number{9, 1}, 7)
		assert.Equal(t, Lost{Records: 7, Exact: true}, h.takeAfter(stored), "later appends count again: %v", stored)
	}
}

func TestAcknowledgedIsBoundedAndThenReportsAMinimum(t *testing.T) {
	h, random := &acknowledged{}, rand.New(rand.NewPCG(1, 2))
	var all []struct {
		Number
		records int
	}
	n := Number{1, 0}
	for range 5 * maxRemembered {
		if n.Seq++; random.IntN(500) == 0 {
			n = Number{n.Epoch + 1, 1}
		}
		records := 1 + random.IntN(maxAppendRecords)
		h.add(n, records)
		require.LessOrEqual(t, h.kept, maxRemembered)
		all = append(all, struct {
			Number
			records int
		}{n, records})
	}
	truth := func(behind int) (sum int64) {
		for _, a := range all[behind+1:] {
			sum += int64(a.records)
		}
		return sum
	}
	recent := len(all) - maxRemembered/2
	copied := *h
	assert.Equal(t, Lost{Records: truth(recent), Exact: true}, copied.takeAfter(all[recent].Number))
	*h = acknowledged{}
	for _, a := range all {
		h.add(a.Number, a.records)
	}
	lost := h.takeAfter(all[10].Number)
	assert.False(t, lost.Exact)
	assert.Less(t, lost.Records, truth(10))
	assert.GreaterOrEqual(t, lost.Records, truth(recent))
}

func TestAcknowledgedDoesNotCountUncertainAppends(t *testing.T) {
	h := &acknowledged{}
	h.add(Number{1, 1}, 10)
	h.forgetUpTo(Number{1, 2})
	h.add(Number{2, 1}, 3)
	assert.Equal(t, Lost{Records: 3}, h.takeAfter(Number{1, 1}))
}
