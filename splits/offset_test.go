package splits

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseOffset(t *testing.T) {
	for text, want := range map[string]Offset{
		"0-0":                               {},
		"0":                                 {},
		"5":                                 {Millis: 5},
		"1700000000000-7":                   {Millis: 1700000000000, Seq: 7},
		"9007199254740993-9007199254740995": {Millis: 9007199254740993, Seq: 9007199254740995},
		"18446744073709551615-18446744073709551615": {Millis: math.MaxUint64, Seq: math.MaxUint64},
	} {
		got, err := ParseOffset(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestInvalidOffsetIsRejected(t *testing.T) {
	for _, text := range []string{
		"", "-", "-1", "1-", "a-1", "1-a", "1-2-3", "+1", "1-+2", " 1-2", "1-2 ", "1.5-0", "1e3", "*", "$", "0x1-0",
		"18446744073709551616-0", "0-18446744073709551616",
	} {
		got, err := ParseOffset(text)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), text)
		assert.Zero(t, got)
	}
}

func TestOffsetStringIsParsedBack(t *testing.T) {
	for _, o := range []Offset{{}, {1, 2}, {1700000000000, 0}, {math.MaxUint64, math.MaxUint64}} {
		got, err := ParseOffset(o.String())
		require.NoError(t, err)
		assert.Equal(t, o, got)
	}
	assert.Equal(t, "1700000000000-7", Offset{1700000000000, 7}.String())
}

// ascending are offsets that would be ordered wrongly as floats or as texts.
var ascending = []Offset{
	{0, 0},
	{0, 1},
	{0, math.MaxUint64},
	{9, 10},
	{10, 9},
	{10, 10},
	{10, 100},
	{9007199254740992, 5},
	{9007199254740993, 4},
	{math.MaxUint64, math.MaxUint64 - 1},
	{math.MaxUint64, math.MaxUint64},
}

func TestOffsetsCompareAsNumbers(t *testing.T) {
	assert.True(t, slices.IsSortedFunc(ascending, Offset.Compare))
	for i, a := range ascending {
		for j, b := range ascending {
			assert.Equal(t, i < j, a.Before(b), "%s %s", a, b)
			assert.Equal(t, -a.Compare(b), b.Compare(a), "%s %s", a, b)
			assert.Equal(t, a == b, a.Compare(b) == 0, "%s %s", a, b)
		}
	}
}

func TestPrevIsTheGreatestOffsetBelow(t *testing.T) {
	assert.Equal(t, Offset{5, 6}, Offset{5, 7}.Prev())
	assert.Equal(t, Offset{4, math.MaxUint64}, Offset{5, 0}.Prev())
	assert.Equal(t, Offset{0, 0}, Offset{0, 1}.Prev())
	assert.Equal(t, Offset{}, Offset{}.Prev())
	for _, o := range ascending[1:] {
		assert.True(t, o.Prev().Before(o), "%s", o)
	}
}

func TestNextIsTheSmallestOffsetAbove(t *testing.T) {
	greatest := Offset{math.MaxUint64, math.MaxUint64}
	assert.Equal(t, Offset{5, 8}, Offset{5, 7}.Next())
	assert.Equal(t, Offset{6, 0}, Offset{5, math.MaxUint64}.Next())
	assert.Equal(t, greatest, greatest.Next())
	for _, o := range ascending {
		if o != greatest {
			assert.Equal(t, o, o.Next().Prev(), "%s", o)
		}
	}
}

func TestEntrySizeCountsNamesAndValues(t *testing.T) {
	empty := Entry{}.Size()
	assert.Positive(t, empty)
	entry := Entry{Fields: []string{"body", string(make([]byte, 1000))}}
	assert.GreaterOrEqual(t, entry.Size(), empty+1004)
	assert.Less(t, entry.Size(), empty+1100)
}

func FuzzParseOffset(f *testing.F) {
	f.Add("1700000000000-7")
	f.Add("00-0")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseOffset(text)
		if err != nil {
			return
		}
		again, err := ParseOffset(o.String())
		require.NoError(t, err)
		require.Equal(t, o, again)
	})
}

func TestPositionIsStoredIfItIsBetter(t *testing.T) {
	for _, c := range []struct {
		name      string
		p, stored Position
		want      bool
	}{
		{"further on", pos(5, CountUnknown), pos(4, 4), true},
		{"further back", pos(3, 3), pos(4, 4), false},
		{"the same", pos(4, 4), pos(4, 4), false},
		{"the same, the count is known now", pos(4, 4), pos(4, CountUnknown), true},
		{"the same, the count was known", pos(4, CountUnknown), pos(4, 4), false},
		{"the same, the count was corrected", pos(4, 9), pos(4, 4), true},
	} {
		assert.Equal(t, c.want, c.p.worthStoringOver(c.stored), c.name)
	}
}
