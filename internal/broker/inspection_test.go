package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

func TestStateOfManySplits(t *testing.T) {
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

func TestStateOfMoreSplitsThanAreLookedAtOnce(t *testing.T) {
	s := onRedis(t)
	var all []splits.Split
	for i := range 2*lookedAtOnce + 1 {
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
	require.Error(t, err, "no answer is the error of the whole")
}

func TestStateOfTheEmbeddedServer(t *testing.T) {
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

// XINFO STREAM replies with the first and the last entry: over a slow network, the state of streams
// with large entries never arrived.
func TestStateIsAskedForWithoutLargeEntries(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		large := strings.Repeat("x", 1<<20)
		for i := range 3 {
			s.addBody(t, "large", fmt.Sprint(i+1, "-0"), large)
			s.Add(t, "small", fmt.Sprint(i+1, "-0"))
		}
		all := []splits.Split{PlainSplit("large"), PlainSplit("small"), PlainSplit("missing")}
		want := splits.State{
			Exists:       true,
			Length:       3,
			First:        splits.Offset{Millis: 1},
			Last:         splits.Offset{Millis: 3},
			EntriesAdded: 3,
		}
		l := NewLog(s.Client, s.Client)
		for range 3 {
			before := s.sent(t)
			states, err := l.State(ctx, all)
			require.NoError(t, err)
			assert.Equal(t, []splits.State{want, want, {}}, states)
			assert.Less(t, s.sent(t)-before, 1<<20)
		}
		assert.Equal(t, map[string]bool{"small": true}, l.light, "small ones are asked about without a script")

		s.addBody(t, "small", "4-0", large)
		for range 2 { // before the first call, the new size of the entries is unknown
			_, err := l.State(ctx, all)
			require.NoError(t, err)
		}
		assert.Empty(t, l.light)
	})
}

// addBody appends an entry with a body.
func (s testServer) addBody(t *testing.T, stream, id, body string) {
	t.Helper()
	require.NoError(
		t,
		s.Client.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, ID: id, Values: []string{"body", body}}).Err(),
	)
}

// sent returns how many bytes the server has sent.
func (s testServer) sent(t *testing.T) int {
	t.Helper()
	info, err := s.Client.Info(t.Context(), "stats").Result()
	require.NoError(t, err)
	_, rest, _ := strings.Cut(info, "total_net_output_bytes:")
	text, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// If the entries of a light stream become large, the next reply of XINFO STREAM can be too large to
// arrive.
func TestStateIsAskedAgainWithoutEntriesIfItDoesNotArrive(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{scripttest.Server{Client: server.Client(t)}}
	s.Add(t, "s", "1-0")
	l := NewLog(s.Client, s.Client)
	all := []splits.Split{PlainSplit("s")}
	for range 2 {
		_, err := l.State(t.Context(), all)
		require.NoError(t, err)
	}
	s.addBody(t, "s", "2-0", strings.Repeat("x", 4<<20))
	require.NoError(t, s.Client.ConfigSet(t.Context(), "client-output-buffer-limit", "normal 1mb 0 0").Err())
	states, err := l.State(t.Context(), all)
	require.NoError(t, err)
	require.NoError(t, states[0].Err)
	assert.Equal(t, int64(2), states[0].Length)
}

func TestPeekDescribesTheNextEntryOfEachSplit(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		s.Add(t, "s", "1-1")
		s.addBody(t, "s", "2-2", strings.Repeat("x", 100_000))
		require.NoError(t, s.Client.Set(ctx, "bad", "text", 0).Err())
		at := cursorsOf("s", "s", "missing", "bad", "s")
		at[1].After, at[4].After = splits.Offset{Millis: 1, Seq: 1}, splits.Offset{Millis: 2, Seq: 2}
		peeked, err := NewLog(s.Client, s.Client).Peek(ctx, at)
		require.NoError(t, err)
		assert.Equal(t, splits.Peeked{Offset: splits.Offset{Millis: 1, Seq: 1}, Size: 5}, peeked[0])
		assert.Equal(t, splits.Peeked{Offset: splits.Offset{Millis: 2, Seq: 2}, Size: 100_004}, peeked[1])
		assert.Equal(t, splits.Peeked{}, peeked[2])
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(peeked[3].Err), peeked[3].Err)
		assert.Equal(t, splits.Peeked{}, peeked[4])
	})
}

func TestPeekWithoutAServerIsAnErrorOfTheRequest(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	server.Kill(t)
	_, err := NewLog(client, client).Peek(t.Context(), cursorsOf("a"))
	assert.Equal(t, rediserr.ClassConnection, rediserr.Classify(err))
	assert.NotErrorIs(t, err, splits.ErrUnfinished)
}
