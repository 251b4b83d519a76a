package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func letterOf(offset string, fields ...string) Letter {
	return Letter{Fields: fields, Origin: Origin{
		Topic:      "orders",
		Partition:  3,
		Offset:     offset,
		Group:      "billing",
		Deliveries: 5,
		Error:      "no such customer",
		Time:       time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
	}}
}

func TestLetterHasTheDocumentedLayout(t *testing.T) {
	l := letterOf("1-2", "body", "x", "rafka_key", "k", "body", "again")
	fields := l.Encode()
	assert.Equal(t, []string{
		"body", "x", "rafka_key", "k", "body", "again",
		"rafka_origin_topic", "orders",
		"rafka_origin_partition", "3",
		"rafka_origin_offset", "1-2",
		"rafka_origin_group", "billing",
		"rafka_origin_deliveries", "5",
		"rafka_origin_error", "no such customer",
		"rafka_origin_time", "2026-01-02T03:04:05.678Z",
	}, fields)
	parsed, ok := ParseLetter(fields)
	assert.True(t, ok)
	assert.Equal(t, l, parsed)
}

func TestLetterOfALetterKeepsTheFirstOrigin(t *testing.T) {
	first := letterOf("1-2", "body", "x")
	second := Letter{Fields: first.Encode(), Origin: Origin{
		Topic: "orders-dead", Partition: 7, Offset: "9-9", Group: "repair", Error: "again", Time: time.Now(),
	}}
	assert.Equal(t, first.Encode(), second.Encode())
	assert.NotEqual(t, first.ID(), second.ID(), "they are different letters")
}

func TestFieldsWithoutAnOriginAreNoLetter(t *testing.T) {
	whole := letterOf("1-2").Encode()
	for i := 0; i < len(whole); i += 2 {
		fields := append([]string{"body", "x"}, whole[:i]...)
		_, ok := ParseLetter(append(fields, whole[i+2:]...))
		optional := strings.HasSuffix(whole[i], "error") || strings.HasSuffix(whole[i], "time") ||
			strings.HasSuffix(whole[i], "deliveries")
		assert.Equal(t, optional, ok, "without %s", whole[i])
	}
	for _, damaged := range []string{"", "-1", "x"} {
		fields := append([]string{"rafka_origin_partition", damaged}, whole...)
		_, ok := ParseLetter(fields)
		assert.False(t, ok, "partition %q", damaged)
	}
	_, ok := ParseLetter(nil)
	assert.False(t, ok)
}

func TestLetterErrorIsCutBetweenCharacters(t *testing.T) {
	l := letterOf("1-2", "body", "x")
	l.Origin.Error = "x" + strings.Repeat("ä", maxLetterError)
	parsed, ok := ParseLetter(l.Encode())
	require.True(t, ok)
	assert.Equal(t, l.Origin.Error[:maxLetterError-1], parsed.Origin.Error)
}

func TestReplayedEntryIsForItsGroup(t *testing.T) {
	assert.False(t, ForOthers([]string{"body", "x"}, "billing"))
	assert.False(t, ForOthers([]string{"body", "x", "rafka_replay_group", "billing"}, "billing"))
	assert.True(t, ForOthers([]string{"body", "x", "rafka_replay_group", "billing"}, "shipping"))
	assert.True(t, ForOthers([]string{"rafka_replay_group", ""}, "shipping"))
}

func TestLettersOfDifferentEntriesHaveDifferentIDs(t *testing.T) {
	base := letterOf("1-2", "body", "x")
	assert.Regexp(t, `^billing/orders/3/1-2/[0-9a-f]{16}$`, base.ID())
	changed := base
	changed.Origin.Deliveries, changed.Origin.Error, changed.Origin.Time = 9, "other", time.Now()
	assert.Equal(t, base.ID(), changed.ID(), "the same entry, given up again")
	ids := map[string]bool{base.ID(): true}
	for _, change := range []func(l *Letter){
		func(l *Letter) { l.Origin.Topic = "returns" },
		func(l *Letter) { l.Origin.Partition = 4 },
		func(l *Letter) { l.Origin.Offset = "1-3" },
		func(l *Letter) { l.Origin.Group = "shipping" },
		func(l *Letter) { l.Origin.Group, l.Origin.Topic = "billing/orders", "x" },
		func(l *Letter) { l.Origin.Group, l.Origin.Topic = "billing", "orders/x" },
		func(l *Letter) { l.Origin.Group, l.Origin.Topic = "billing%2Forders", "x" },
		func(l *Letter) { l.Fields = []string{"body", "y"} },
		func(l *Letter) { l.Fields = []string{"bod", "yx"} },
		func(l *Letter) { l.Fields = []string{"body", "x", "a", "b"} },
	} {
		other := base
		change(&other)
		assert.False(t, ids[other.ID()], "%+v", other)
		ids[other.ID()] = true
	}
}
