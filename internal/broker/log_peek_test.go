package broker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

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
