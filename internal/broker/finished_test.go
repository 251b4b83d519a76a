package broker

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestFinishedRangesSurviveTheirText(t *testing.T) {
	ranges := []splits.Range{
		{First: splits.Offset{Seq: 1}, Last: splits.Offset{Seq: 1}},
		{First: splits.Offset{Millis: 1767225600000}, Last: splits.Offset{Millis: 1767225600000, Seq: 40}},
		{
			First: splits.Offset{Millis: 1767225600001, Seq: 3},
			Last:  splits.Offset{Millis: math.MaxUint64, Seq: math.MaxUint64},
		},
	}
	text := EncodeFinished(ranges)
	assert.Equal(t, "0-1,mjuohs00-0:0-14,1-3:3w5e0eibgaose-3w5e11264sgsf", text)
	decoded, err := DecodeFinished(text)
	require.NoError(t, err)
	assert.Equal(t, ranges, decoded)
	none, err := DecodeFinished(EncodeFinished(nil))
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestFarthestFinishedRangesAreLeftOut(t *testing.T) {
	var ranges []splits.Range
	for i := range uint64(10_000) {
		at := splits.Offset{Millis: 1767225600000 + 2*i, Seq: i}
		ranges = append(ranges, splits.Range{First: at, Last: at})
	}
	text := EncodeFinished(ranges)
	assert.LessOrEqual(t, len(text), maxFinishedBytes)
	decoded, err := DecodeFinished(text)
	require.NoError(t, err)
	assert.Greater(t, len(decoded), 2000)
	assert.Equal(t, ranges[:len(decoded)], decoded)
}

func TestDamagedFinishedRangesAreRejected(t *testing.T) {
	for _, text := range []string{
		",", "1-0,", "x", "5", "5-", "-5", "5-1:0-0", "5-1:0-1", "5-1,0-1", "5-1,0-0", "1-0 ", "3w5e11264sgsf-0,1-0",
	} {
		_, err := DecodeFinished(text)
		assert.ErrorContains(t, err, "finished ranges of the lease", text)
	}
}

func FuzzFinishedRanges(f *testing.F) {
	f.Add("0-1,mjuk8g00-0:0-14")
	f.Add("5-1,0-0")
	f.Fuzz(func(t *testing.T, text string) {
		ranges, err := DecodeFinished(text)
		if err != nil {
			return
		}
		var before splits.Offset
		for _, r := range ranges {
			require.True(t, before.Before(r.First))
			require.False(t, r.Last.Before(r.First))
			before = r.Last
		}
		again, err := DecodeFinished(EncodeFinished(ranges))
		require.NoError(t, err)
		require.Equal(t, ranges[:len(again)], again)
	})
}
