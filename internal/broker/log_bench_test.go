package broker

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// BenchmarkFetch reads 1000 entries of 256 bytes at a time.
func BenchmarkFetch(b *testing.B) {
	client := redistest.Start(b).Client(b)
	pipe := client.Pipeline()
	for range 1000 {
		pipe.XAdd(
			b.Context(),
			&redis.XAddArgs{Stream: "s", Values: []string{"body", strings.Repeat("x", 256), "rafka_key", "k"}},
		)
	}
	_, err := pipe.Exec(b.Context())
	require.NoError(b, err)
	l := NewLog(client, client)
	request := splits.FetchRequest{Cursors: slices.Clip(cursorsOf("s")), Count: 1000}
	b.ReportAllocs()
	for b.Loop() {
		fetched, err := l.Fetch(b.Context(), request)
		if err != nil || len(fetched[0].Entries) != 1000 {
			b.Fatal(err, len(fetched[0].Entries))
		}
	}
}
