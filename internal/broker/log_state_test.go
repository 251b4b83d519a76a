package broker

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

func TestStateDescribesEachSplit(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		s.Add(t, "full", "1-1")
		s.Add(t, "full", "2-2")
		s.Add(t, "full", "3-3")
		require.NoError(t, s.Client.XDel(ctx, "full", "2-2").Err())
		s.Add(t, "empty", "9-9")
		require.NoError(t, s.Client.XTrimMaxLen(ctx, "empty", 0).Err())
		require.NoError(t, s.Client.Set(ctx, "bad", "text", 0).Err())
		all := []splits.Split{PlainSplit("full"), PlainSplit("missing"), PlainSplit("bad"), PlainSplit("empty")}
		states, err := NewLog(s.Client, s.Client).State(ctx, all)
		require.NoError(t, err)
		assert.Equal(t, splits.State{
			Exists:       true,
			Length:       2,
			First:        splits.Offset{Millis: 1, Seq: 1},
			Last:         splits.Offset{Millis: 3, Seq: 3},
			EntriesAdded: 3,
			MaxDeleted:   splits.Offset{Millis: 2, Seq: 2},
		}, states[0])
		assert.Equal(t, splits.State{}, states[1])
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(states[2].Err), states[2].Err)
		assert.Equal(t, splits.State{Exists: true, Last: splits.Offset{Millis: 9, Seq: 9}, EntriesAdded: 1}, states[3])
		states, err = NewLog(s.Client, s.Client).State(ctx, nil)
		require.NoError(t, err)
		assert.Empty(t, states)
	})
}

func TestStateReadsMoreSplitsThanOnePipelineHolds(t *testing.T) {
	s := onRedis(t)
	var all []splits.Split
	for i := range 2*largestPipeline + 1 {
		name := fmt.Sprint("s", i)
		s.Add(t, name, fmt.Sprint(i+1, "-1"))
		all = append(all, PlainSplit(name))
	}
	log := NewLog(s.Client, s.Client)
	states, err := log.State(t.Context(), all)
	require.NoError(t, err)
	for i, state := range states {
		assert.EqualValues(t, i+1, state.Last.Millis)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = log.State(ctx, all)
	require.Error(t, err, "without a reply, State returns an error")
}

func TestStateIsEqualBeforeAndAfterTheSizeIsKnown(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.Add(t, "s", "1-1")
		s.Add(t, "s", "2-2")
		l := NewLog(s.Client, s.Client)
		want := splits.State{
			Exists:       true,
			Length:       2,
			First:        splits.Offset{Millis: 1, Seq: 1},
			Last:         splits.Offset{Millis: 2, Seq: 2},
			EntriesAdded: 2,
		}
		if s.Embedded {
			want.EntriesAdded = -1
		}
		for range 2 { // before the first call, the size of the entries is unknown
			states, err := l.State(t.Context(), []splits.Split{PlainSplit("s"), PlainSplit("missing")})
			require.NoError(t, err)
			assert.Equal(t, []splits.State{want, {}}, states)
			fetched, err := l.Fetch(
				t.Context(),
				splits.FetchRequest{Cursors: []splits.Cursor{{Split: PlainSplit("s"), Inspect: true}}},
			)
			require.NoError(t, err)
			assert.Equal(t, &want, fetched[0].State)
		}
	})
}
