package splits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseStart(t *testing.T) {
	now := time.UnixMilli(1767225600500)
	for text, want := range map[string]Start{
		"earliest":                  Earliest(),
		"latest":                    Latest(),
		"1767225600500":             StartAt(Offset{Millis: 1767225600500}),
		"1767225600000-7":           StartAt(Offset{Millis: 1767225600000, Seq: 7}),
		"2026-01-01T00:00:00.5Z":    StartAt(Offset{Millis: 1767225600500}),
		"2026-01-01T01:00:00+01:00": StartAt(Offset{Millis: 1767225600000}),
		"1970-01-01T00:00:00Z":      StartAt(Offset{}),
	} {
		got, err := ParseStart(text, now)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, says := range map[string]string{
		"":                       "use earliest, latest, a time such as",
		"Latest":                 "use earliest, latest, a time such as",
		"2026-01-01":             "use earliest, latest, a time such as",
		"yesterday":              "or the ID of an entry",
		"1969-12-31T23:59:59Z":   "lies before 1970: use earliest",
		"2026-01-01T00:00:01Z":   "lies in the future: use latest",
		"1767225600501":          "lies in the future: use latest",
		"99999999999999999999-0": "is not supported",
	} {
		got, err := ParseStart(text, now)
		require.ErrorContains(t, err, says, text)
		assert.Zero(t, got)
	}
}
