package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

func cursorsOf(keys ...string) []splits.Cursor {
	cursors := make([]splits.Cursor, len(keys))
	for i, key := range keys {
		cursors[i] = splits.Cursor{Split: PlainSplit(key)}
	}
	return cursors
}

func fetchOne(t *testing.T, client redis.UniversalClient, key string) []splits.Entry {
	t.Helper()
	fetched, err := NewLog(client, client).Fetch(t.Context(), splits.FetchRequest{Cursors: cursorsOf(key)})
	require.NoError(t, err)
	require.NoError(t, fetched[0].Err)
	return fetched[0].Entries
}

// onBothProtocols runs a test on a real Redis with RESP2 and with RESP3.
func onBothProtocols(t *testing.T, test func(t *testing.T, s testServer)) {
	server := redistest.Start(t)
	for protocol := 2; protocol <= 3; protocol++ {
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			client := server.Client(t, func(o *redis.Options) { o.Protocol = protocol })
			require.NoError(t, client.FlushAll(t.Context()).Err())
			test(t, testServer{scripttest.Server{Client: client}})
		})
	}
}

func TestFetchKeepsBytesOrderAndRepetitions(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		first := []string{"b", "\x00\xff\r\n$5\r\n", "a", "", "", "x", "b", "again"}
		require.NoError(t, s.Client.XAdd(t.Context(), &redis.XAddArgs{Stream: "s", ID: "7-1", Values: first}).Err())
		s.Add(t, "s", "18446744073709551615-3")
		assert.Equal(t, []splits.Entry{
			{Offset: splits.Offset{Millis: 7, Seq: 1}, Fields: first},
			{Offset: splits.Offset{Millis: 18446744073709551615, Seq: 3}, Fields: []string{"body", "x"}},
		}, fetchOne(t, s.Client, "s"))
	})
}

func TestFetchReturnsResultsInTheOrderOfTheCursors(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		for _, key := range []string{"c", "a", "d"} {
			for i := range 5 {
				s.Add(t, key, fmt.Sprintf("%d-0", i+1))
			}
		}
		l := NewLog(s.Client, s.Client)
		cursors := cursorsOf("missing", "a", "b", "c", "d")
		cursors[1].After, cursors[3].After = splits.Offset{Millis: 3}, splits.Offset{Millis: 5}
		for _, block := range []time.Duration{0, time.Second} {
			fetched, err := l.Fetch(t.Context(), splits.FetchRequest{Cursors: cursors, Count: 3, Block: block})
			require.NoError(t, err)
			var got []int
			for _, f := range fetched {
				require.NoError(t, f.Err)
				require.Nil(t, f.State)
				got = append(got, len(f.Entries))
			}
			assert.Equal(t, []int{0, 2, 0, 0, 3}, got)
			assert.Equal(t, "4-0", fetched[1].Entries[0].Offset.String())
		}
	})
}

func TestFetchReturnsNothingForMissingStreams(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := NewLog(s.Client, s.Client)
		fetched, err := l.Fetch(
			t.Context(),
			splits.FetchRequest{Cursors: cursorsOf("a", "b"), Count: 1, Block: 10 * time.Millisecond},
		)
		require.NoError(t, err)
		assert.Equal(t, make([]splits.Fetched, 2), fetched)
		fetched, err = l.Fetch(t.Context(), splits.FetchRequest{})
		require.NoError(t, err)
		assert.Empty(t, fetched)
	})
}

func TestFetchReturnsStatesOfInspectedCursors(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		for i := range 5 {
			s.Add(t, "s", fmt.Sprintf("%d-0", i+1))
		}
		require.NoError(t, s.Client.XTrimMaxLen(t.Context(), "s", 3).Err())
		cursors := cursorsOf("s", "quiet", "missing")
		cursors[0].Inspect, cursors[2].Inspect = true, true
		fetched, err := NewLog(s.Client, s.Client).Fetch(t.Context(), splits.FetchRequest{Cursors: cursors, Count: 10})
		require.NoError(t, err)
		assert.Len(t, fetched[0].Entries, 3)
		assert.Equal(t, &splits.State{
			Exists: true, Length: 3, First: splits.Offset{Millis: 3}, Last: splits.Offset{Millis: 5}, EntriesAdded: 5,
		}, fetched[0].State)
		assert.Nil(t, fetched[1].State)
		assert.Equal(t, &splits.State{}, fetched[2].State)
	})
}

func TestFetchReadsTheOtherKeysIfOneHasAnotherType(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, s testServer) {
		s.Add(t, "a", "*")
		s.Add(t, "c", "*")
		require.NoError(t, s.Client.Set(t.Context(), "bad", "text", 0).Err())
		cursors := cursorsOf("a", "bad", "c")
		cursors[1].Inspect = true
		fetched, err := NewLog(
			s.Client,
			s.Client,
		).Fetch(
			t.Context(),
			splits.FetchRequest{Cursors: cursors, Count: 10, Block: time.Minute},
		)
		require.NoError(t, err)
		assert.Len(t, fetched[0].Entries, 1)
		assert.Len(t, fetched[2].Entries, 1)
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(fetched[1].Err), fetched[1].Err)
		assert.ErrorContains(t, fetched[1].Err, "reading bad: ")
		assert.Nil(t, fetched[1].State)
	})
}

func TestFetchReadsTheOtherKeysIfOneIsForbidden(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{scripttest.Server{Client: server.Client(t)}}
	s.Add(t, "good", "*")
	s.Add(t, "bad", "*")
	require.NoError(t, s.Client.Do(t.Context(), "acl", "setuser", "u", "on", ">pw", "~good", "+@all", "-xinfo").Err())
	client := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "u", "pw" })
	cursors := cursorsOf("good", "bad")
	cursors[0].Inspect = true
	fetched, err := NewLog(client, client).Fetch(t.Context(), splits.FetchRequest{Cursors: cursors})
	require.NoError(t, err)
	assert.Len(t, fetched[0].Entries, 1)
	assert.Nil(t, fetched[0].State, "the user may not read the state")
	assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(fetched[1].Err), fetched[1].Err)
}

func TestFetchWaitsForAnEntry(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := NewLog(s.Client, s.Client)
		added := make(chan error, 1)
		timer := time.AfterFunc(50*time.Millisecond, func() {
			added <- s.Client.XAdd(t.Context(), &redis.XAddArgs{Stream: "s", Values: []string{"body", "x"}}).Err()
		})
		defer timer.Stop()
		fetched, err := l.Fetch(
			t.Context(),
			splits.FetchRequest{Cursors: cursorsOf("quiet", "s"), Count: 10, Block: time.Minute},
		)
		require.NoError(t, err)
		require.NoError(t, <-added)
		assert.Len(t, fetched[1].Entries, 1)
	})
}

// A read without BLOCK was once sent on the control client, whose timeouts are a fraction of a
// heartbeat interval.
func TestFetchReadsOnlyOnTheBlockingClient(t *testing.T) {
	server := redistest.Start(t)
	closed := server.Client(t)
	require.NoError(t, closed.Close())
	open := server.Client(t)
	request := splits.FetchRequest{Cursors: cursorsOf("s"), Count: 1}
	for _, block := range []time.Duration{0, time.Millisecond} {
		request.Block = block
		_, err := NewLog(open, closed).Fetch(t.Context(), request)
		require.NoError(t, err)
	}
}

// A BLOCK above the client's read timeout once caused a timeout, which closed the connection.
func TestFetchBlocksForLessThanTheReadTimeout(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t, func(o *redis.Options) { o.ReadTimeout, o.PipelinePoolSize = 600*time.Millisecond, -1 })
	began := time.Now()
	fetched, err := NewLog(
		client,
		client,
	).Fetch(
		t.Context(),
		splits.FetchRequest{Cursors: cursorsOf("s"), Count: 1, Block: time.Minute},
	)
	require.NoError(t, err)
	assert.Empty(t, fetched[0].Entries)
	assert.Greater(t, time.Since(began), 250*time.Millisecond)
	assert.Equal(t, uint32(1), client.PoolStats().TotalConns)

	patient := NewLog(server.Client(t, func(o *redis.Options) { o.ReadTimeout = -1 }), client)
	assert.Equal(t, time.Minute, patient.blockOf(splits.FetchRequest{Block: time.Minute}))
	assert.Equal(
		t,
		time.Millisecond,
		patient.blockOf(splits.FetchRequest{Block: time.Nanosecond}),
		"0 would wait forever",
	)
}

func TestFetchWithoutAServerIsAnErrorOfTheRequest(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	server.Kill(t)
	cursors := cursorsOf("a", "b", "c", "d", "e", "f")
	_, err := NewLog(client, client).Fetch(t.Context(), splits.FetchRequest{Cursors: cursors})
	assert.Equal(t, rediserr.ClassConnection, rediserr.Classify(err))
	assert.ErrorContains(t, err, "reading a, b, c and 3 more: ")
	assert.ErrorContains(t, err, "`url`")
	_, err = NewLog(client, client).State(t.Context(), []splits.Split{PlainSplit("a"), PlainSplit("b")})
	assert.Equal(t, rediserr.ClassConnection, rediserr.Classify(err))
}
