package splits_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

func TestCauseIsOneShortLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"connection refused":              "connection refused",
		"first\nsecond\r\n\tthird\u2028x": "first second third x",
		"\xff is not UTF-8":               "? is not UTF-8",
		strings.Repeat("x", 201):          strings.Repeat("x", 200),
		strings.Repeat("€", 67):           strings.Repeat("€", 66),
	} {
		assert.Equal(t, want, splits.OneLine(text))
	}
}

func TestTextIsCutBetweenCharacters(t *testing.T) {
	for most, want := range []string{"", "x", "x", "x", "x€", "x€y", "x€y"} {
		assert.Equal(t, want, splits.CutText("x€y", most), most)
	}
	assert.Empty(t, splits.CutText("\x82\xac\x82", 2), "no character begins here")
}
