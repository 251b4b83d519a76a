package keys

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValidateTopicRefusesNamesWhoseKeysWouldMeet(t *testing.T) {
	for _, name := range []string{
		"orders", "a:1", "{eu}:orders", "{orders}", "a{b}c", "größe", "a b", "%", "*", "rafka:events", "a:1x",
		"topic", ":", "0",
	} {
		assert.NoError(t, ValidateTopic(name, false), name)
	}
	for name, remedy := range map[string]string{
		"":                          "is empty",
		"a\nb":                      "control characters",
		"a\x00":                     "control characters",
		"a\x7f":                     "control characters",
		"\xff":                      "UTF-8",
		"a{b":                       "one pair",
		"a}b":                       "one pair",
		"}a{":                       "one pair",
		"a{}b":                      "one pair",
		"{a}{b}":                    "one pair",
		"{{a}}":                     "one pair",
		"rafka:{orders}:topic":      "own keys",
		"rafka:{orders:3}:lease:g1": "own keys",
	} {
		err := ValidateTopic(name, false)
		require.ErrorContains(t, err, remedy, name)
		assert.ErrorContains(t, err, "stream_name", name)
	}
}

func TestValidateTopicRefusesPartitionedNamesThatLookLikeAPartition(t *testing.T) {
	for _, name := range []string{"orders:3", "orders:0", ":1", "{eu}:007"} {
		assert.NoError(t, ValidateTopic(name, false), "reading such a plain stream is fine")
		assert.ErrorContains(t, ValidateTopic(name, true), "stream_name", name)
	}
	for _, name := range []string{"orders", "orders:", "orders3", "3", "a:3b", "a:{3}"} {
		assert.NoError(t, ValidateTopic(name, true), name)
	}
}

func TestValidateGroupNamesTheField(t *testing.T) {
	for _, name := range []string{"billing", "a:b", "{", "}}", "%", "topic", "a b"} {
		assert.NoError(t, ValidateGroup(name), name)
	}
	for _, name := range []string{"", "a\tb", "\xfe"} {
		assert.ErrorContains(t, ValidateGroup(name), "consumer_group", "%q", name)
	}
}

var validators = map[string]func(string) error{
	"stream_name":    func(name string) error { return ValidateTopic(name, false) },
	"consumer_group": ValidateGroup, "consumer_name": ValidateConsumer, "instance_id": ValidateInstance,
}

func TestNamesAreNoLongerThanInKafka(t *testing.T) {
	for field, validate := range validators {
		for _, character := range []string{"x", "ö", "日", "🐘"} {
			assert.NoError(t, validate(strings.Repeat(character, MaxName)), field)
			err := validate(strings.Repeat(character, MaxName+1))
			require.ErrorContains(t, err, field+": ")
			assert.ErrorContains(t, err, "has 250 characters: use 249 at most")
		}
		for _, long := range []string{
			strings.Repeat("x", 1<<20), strings.Repeat("\xff", 1<<20), strings.Repeat("\x00", 1<<20),
		} {
			assert.Less(t, len(validate(long).Error()), 500, "%s: an error does not repeat a name of a megabyte", field)
		}
	}
}

func TestNamesHoldNothingThatIsNotSeen(t *testing.T) {
	for _, r := range "\u0085\u009b\u00ad\u034f\u061c\u115f\u180e\u200b\u200d\u200e\u2028\u2029" +
		"\u202e\u2060\u2066\u2069\u3164\ufe0f\ufeff\U000e0041\U000e0100" {
		for field, validate := range validators {
			for _, name := range []string{string(r) + "a", "a" + string(r) + "b", "a" + string(r)} {
				assert.ErrorContains(t, validate(name), field+": ", "%U", r)
				assert.NotContains(t, validate(name).Error(), string(r), "%U is not repeated as it is", r)
			}
		}
	}
	for _, name := range []string{"a b", "größe", "e\u0301", "日本語", "مرحبا", "🐘", "a\u00a0b", `a\b`} {
		for field, validate := range validators {
			assert.NoError(t, validate(name), field)
		}
	}
}

func TestWhatATerminalCouldObeyIsMadeVisible(t *testing.T) {
	for text, want := range map[string]string{
		"orders":                         "orders",
		"größe 日 🐘 a\u00a0b":             "größe 日 🐘 a\u00a0b",
		`back\slash "quoted" 'too'`:      `back\slash "quoted" 'too'`,
		"\x1b]0;owned\x07\x1b[2J":        `\x1b]0;owned\a\x1b[2J`,
		"a\nPARTITION\tb\r":              `a\nPARTITION\tb\r`,
		"\u009b31m\x7f":                  `\u009b31m\x7f`,
		"\u202eab\u2066\u200b\ufe0f":     `\u202eab\u2066\u200b\ufe0f`,
		"\xff\xc3(\u2028\U000e0041":      `\xff\xc3(\u2028\U000e0041`,
		"replacement \ufffd stays as is": "replacement \ufffd stays as is",
	} {
		assert.Equal(t, want, Visible(text), strconv.Quote(text))
	}
}

func FuzzVisible(f *testing.F) {
	for _, text := range []string{"", "a", "\x1b[2J", "\xff\xfe", "\u202e", "a\u0301\ufe0f\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		visible := Visible(text)
		require.True(t, utf8.ValidString(visible))
		require.False(t, strings.ContainsFunc(visible, hidden))
		require.Equal(t, visible, Visible(visible))
		for field, validate := range validators {
			if validate(text) == nil {
				require.Equal(t, text, visible, field)
			}
		}
	})
}
