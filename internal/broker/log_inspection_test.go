package broker

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

func TestMalformedStreamInfoIsAnError(t *testing.T) {
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
func TestStateIsRequestedWithoutLargeEntries(t *testing.T) {
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
		assert.Equal(
			t,
			map[string]bool{"small": true},
			l.smallEnds,
			"the state of a stream with small entries needs no script",
		)

		s.addBody(t, "small", "4-0", large)
		for range 2 { // before the first call, the new size of the entries is unknown
			_, err := l.State(ctx, all)
			require.NoError(t, err)
		}
		assert.Empty(t, l.smallEnds)
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

// If the small entries of a stream become large, the next reply of XINFO STREAM can be too large to
// arrive.
func TestLostStateIsRequestedAgainWithoutEntries(t *testing.T) {
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
