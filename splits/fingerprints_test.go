package splits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFingerprintsAreSpacedExceptTheNewest(t *testing.T) {
	var m fingerprints
	now := time.Now()
	for i := 1; i <= 1000; i++ {
		m.add(pos(i, int64(i)), sumOf(entries(i, i)[0]), now)
		require.Equal(t, pos(i, int64(i)), m[len(m)-1].at)
		now = now.Add(fingerprintEvery / 10)
	}
	require.Len(t, m, maxFingerprints)
	for i := 1; i < len(m)-1; i++ {
		require.GreaterOrEqual(t, m[i].madeAt.Sub(m[i-1].madeAt), fingerprintEvery)
	}
	now = now.Add(time.Hour)
	m.add(pos(2000, 2000), sumOf(entries(2000, 2000)[0]), now)
	assert.Equal(t, pos(1000, 1000), m[len(m)-2].at, "what is an hour old is kept")
}

func TestFingerprintsWithin(t *testing.T) {
	var m fingerprints
	for i := range 5 {
		m.add(pos(10*i, int64(i)), sumOf(Entry{}), time.Now().Add(time.Duration(i)*time.Second))
	}
	assert.Equal(t, m[1:4], m.within(pos(10, 0).Offset, pos(30, 0).Offset))
	assert.Equal(t, m[2:3], m.within(pos(11, 0).Offset, pos(29, 0).Offset))
	assert.Empty(t, m.within(pos(11, 0).Offset, pos(19, 0).Offset))
	m.shift(pos(20, 0).Offset, 5)
	var counts []int64
	for _, f := range m {
		counts = append(counts, f.at.EntriesRead)
	}
	assert.Equal(t, []int64{0, 1, 2, 8, 9}, counts)
}

func TestFingerprintMatchesOnlyItsEntry(t *testing.T) {
	e := Entry{Offset: pos(7, 0).Offset, Fields: []string{"a", "b"}}
	m := fingerprint{at: pos(7, 7), sum: sumOf(e)}
	assert.True(t, m.matches(Entry{Offset: e.Offset, Fields: []string{"a", "b"}}))
	assert.False(t, m.matches(Entry{Offset: e.Offset, Fields: []string{"ab", ""}}))
	assert.False(t, m.matches(Entry{Offset: pos(8, 0).Offset, Fields: e.Fields}))
}
