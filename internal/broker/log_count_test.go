package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

func TestCountErrorNamesTheKey(t *testing.T) {
	s := onRedis(t)
	require.NoError(t, s.Client.Set(t.Context(), testSplit.Key, "no stream", 0).Err())
	_, err := NewLog(s.Client, s.Client).Count(t.Context(), splits.CountRequest{Split: testSplit, Most: 10})
	assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
	assert.ErrorContains(t, err, "counting the entries of "+testSplit.Key)
}

// The time of a slice is the time that the server needed, without the network.
func TestCountReportsTheTimeOfTheServer(t *testing.T) {
	s := onRedis(t)
	entry := &redis.XAddArgs{Stream: testSplit.Key, Values: []string{"body", strings.Repeat("x", 10_000)}}
	for range 50 {
		require.NoError(t, s.Client.XAdd(t.Context(), entry).Err())
	}
	began := time.Now()
	request := splits.CountRequest{Split: testSplit, UpTo: splits.Offset{Millis: 1 << 62}, Most: 20}
	counted, err := NewLog(s.Client, s.Client).Count(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, 20, counted.Entries)
	assert.True(t, counted.More)
	assert.InDelta(t, 10_000, counted.Size, 100)
	assert.Positive(t, counted.Took)
	assert.Less(t, counted.Took, time.Since(began))
}

// A mirror that was created to show the lag is not a count of the position. If Claim used it as a
// count, the entries would be reported as lost.
func TestMirrorOfAnUpperBoundDoesNotRestoreTheCount(t *testing.T) {
	s := onRedis(t)
	l := s.leases()
	for _, id := range []string{"1-0", "2-0", "3-0", "4-0"} {
		s.Add(t, testSplit.Key, id)
	}
	lease, _ := granted(t, l, "m1")
	bound := splits.Commit{Lease: lease, Position: position(2, 0, splits.CountUnknown), Accounted: 1}
	require.NoError(t, l.Commit(t.Context(), testTTL, []splits.Commit{bound})[0])
	assert.Equal(t, int64(3), s.mirrorOf(t).Lag, "the upper bound")
	require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
	lease, g := granted(t, l, "m2")
	assert.Equal(t, position(2, 0, splits.CountUnknown), g.Position)
	assert.Equal(t, int64(3), s.mirrorOf(t).Lag, "it is still shown")

	require.NoError(t, commit(t, l, lease, 2, 0, 2))
	assert.Equal(t, int64(2), s.mirrorOf(t).Lag)
	require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
	_, g = granted(t, l, "m3")
	assert.Equal(t, position(2, 0, 2), g.Position, "the count is one of the position again")
}
