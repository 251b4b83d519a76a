package broker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Any entry becomes a letter that has its fields and its origin, and a letter of a letter is the
// same letter.
func FuzzLettersAreParsed(f *testing.F) {
	f.Add("body", "x", "orders", "1-1", "billing", "HTTP 422", 3)
	f.Add("rafka_origin_group", "forged", "orders", "1-1", "billing", "", 0)
	f.Add("rafka_origin_partition", "-1", "", "", "", "\xff", -1)
	f.Fuzz(func(t *testing.T, name, value, topic, offset, group, cause string, n int) {
		l := Letter{Fields: []string{name, value, name, value}, Origin: Origin{
			Topic: topic, Partition: n, Offset: offset, Group: group, Deliveries: n, Error: cause,
			Time: time.UnixMilli(int64(uint32(n))).UTC(),
		}}
		fields := l.Encode()
		require.Equal(t, l.Fields, fields[:4])
		parsed, ok := ParseLetter(fields)
		require.Equal(t, fields, Letter{Fields: fields, Origin: Origin{Topic: "other"}}.Encode())
		if ofLetters(name) {
			return
		}
		require.Equal(t, n >= 0 && topic != "" && offset != "" && group != "", ok)
		require.Equal(t, l.Fields, parsed.Fields)
		l.Origin.Error = parsed.Origin.Error
		require.Equal(t, l.Origin, parsed.Origin)
		require.True(t, strings.HasPrefix(cause, parsed.Origin.Error))
		require.Equal(t, append(slices.Clone(l.Fields), replayField, group), parsed.Replayed(false))
	})
}
