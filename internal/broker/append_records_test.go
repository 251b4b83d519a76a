package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
)

func TestAppendKeepsBytesOrderAndRepetitions(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		fields := []string{"body", "\x00\xff\r\n", "", "", "body", "2", "big", strings.Repeat("x", 1<<20)}
		p := part(1, 1)
		p.Records = []appender.Record{{Fields: fields}}
		require.Equal(t, appender.Written, appendOne(t, NewAppends(s.Client, AppendOptions{}), p).Status)
		assert.Equal(t, fields, fetchOne(t, s.Client, "s")[0].Fields)
	})
}

func TestAppendKeepsRecordsOfDifferentSizesInOrder(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		p := part(1, 1)
		for n, width := range []int{1, 1, 3, 2, 2, 2, 1} {
			var fields []string
			for i := range width {
				fields = append(fields, fmt.Sprint("f", i), fmt.Sprint("v", n))
			}
			p.Records = append(p.Records, appender.Record{Fields: fields})
		}
		require.Equal(t, appender.Written, appendOne(t, NewAppends(s.Client, AppendOptions{}), p).Status)
		entries := fetchOne(t, s.Client, "s")
		require.Len(t, entries, len(p.Records))
		for n, e := range entries {
			assert.Equal(t, p.Records[n].Fields, e.Fields)
		}
	})
}

func TestAppendAcceptsAtMostMaxFields(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := NewAppends(s.Client, AppendOptions{})
		p := part(1, 1, "before")
		for range MaxFields {
			p.Records[0].Fields = append(p.Records[0].Fields, "f", "v")
		}
		result := appendOne(t, a, p)
		assert.Equal(t, appender.Failed, result.Status)
		assert.ErrorContains(t, result.Err, "`metadata`")
		p.Records[0].Fields = p.Records[0].Fields[2:]
		p.Records = append(p.Records, p.Records[0])
		assert.Equal(t, appender.Written, appendOne(t, a, p).Status)
		assert.Len(t, fetchOne(t, s.Client, "s"), 2)
	})
}

func TestAppendRejectsNumbersAboveTheLimitOfLua(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	a := NewAppends(client, AppendOptions{})
	assert.Equal(t, appender.Failed, appendOne(t, a, part(maxExact+1, 1, "x")).Status)
	assert.Equal(t, appender.Failed, appendOne(t, a, part(1, maxExact+1, "x")).Status)
}
