package broker

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestStateOfManySplits(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		s.add(t, "full", "1-1")
		s.add(t, "full", "2-2")
		s.add(t, "full", "3-3")
		require.NoError(t, s.client.XDel(ctx, "full", "2-2").Err())
		s.add(t, "empty", "9-9")
		require.NoError(t, s.client.XTrimMaxLen(ctx, "empty", 0).Err())
		require.NoError(t, s.client.Set(ctx, "bad", "text", 0).Err())
		all := []splits.Split{plainSplit("full"), plainSplit("missing"), plainSplit("bad"), plainSplit("empty")}
		states, err := NewLog(s.client, s.client).State(ctx, all)
		require.NoError(t, err)
		assert.Equal(t, splits.State{
			Exists: true, Length: 2, First: splits.Offset{Millis: 1, Seq: 1}, Last: splits.Offset{Millis: 3, Seq: 3}, Added: 3,
			MaxDeleted: splits.Offset{Millis: 2, Seq: 2},
		}, states[0])
		assert.Equal(t, splits.State{}, states[1])
		assert.Equal(t, ClassWrongType, Classify(states[2].Err), states[2].Err)
		assert.Equal(t, splits.State{Exists: true, Last: splits.Offset{Millis: 9, Seq: 9}, Added: 1}, states[3])
		states, err = NewLog(s.client, s.client).State(ctx, nil)
		require.NoError(t, err)
		assert.Empty(t, states)
	})
}

func TestStateOfMoreSplitsThanAreLookedAtOnce(t *testing.T) {
	s := onRedis(t)
	var all []splits.Split
	for i := range 2*lookedAtOnce + 1 {
		name := fmt.Sprint("s", i)
		s.add(t, name, fmt.Sprint(i+1, "-1"))
		all = append(all, plainSplit(name))
	}
	log := NewLog(s.client, s.client)
	states, err := log.State(t.Context(), all)
	require.NoError(t, err)
	for i, state := range states {
		assert.EqualValues(t, i+1, state.Last.Millis)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = log.State(ctx, all)
	require.Error(t, err, "no answer is the error of the whole")
}

func TestStateOfTheEmbeddedServer(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.add(t, "s", "1-1")
		s.add(t, "s", "2-2")
		l := NewLog(s.client, s.client)
		want := splits.State{Exists: true, Length: 2, First: splits.Offset{Millis: 1, Seq: 1}, Last: splits.Offset{Millis: 2, Seq: 2}, Added: 2}
		if s.embedded {
			want.Added = -1
		}
		for range 2 { // the second time it is known how much the server tells
			states, err := l.State(t.Context(), []splits.Split{plainSplit("s"), plainSplit("missing")})
			require.NoError(t, err)
			assert.Equal(t, []splits.State{want, {}}, states)
			fetched, err := l.Fetch(t.Context(), splits.FetchRequest{Cursors: []splits.Cursor{{Split: plainSplit("s"), Inspect: true}}})
			require.NoError(t, err)
			assert.Equal(t, &want, fetched[0].State)
		}
	})
}

func TestStreamInfoThatMakesNoSenseIsAnError(t *testing.T) {
	for _, info := range []streamInfo{
		{"length": "x"},
		{"entries-added": "x"},
		{"last-generated-id": "x"},
		{"max-deleted-entry-id": "x"},
		{"recorded-first-entry-id": "x"},
		{"first-entry": []any{"x", []any{}}},
	} {
		require.Error(t, info.fill(&splits.State{}), info)
	}
}
