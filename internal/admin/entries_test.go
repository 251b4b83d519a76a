package admin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

func TestEntryThatIsCutKeepsItsSize(t *testing.T) {
	e := Entry{Entry: splits.Entry{Fields: []string{"body", strings.Repeat("x", 300), "k", "v"}}}
	cut := e.Cut(200)
	assert.Equal(t, []EntryField{{"body", strings.Repeat("x", 200), 300}, {"k", "v", 0}}, cut.List())
	assert.Equal(t, 306, e.Size())
	assert.Equal(t, 306, cut.Size())
}

func TestLetterThatIsCutKeepsItsKey(t *testing.T) {
	fields := []string{"body", strings.Repeat("x", 300), broker.KeyField, "customer-1"}
	l := DeadLetter{Entry: Entry{Entry: splits.Entry{Fields: fields}}, Letter: broker.Letter{Fields: fields}}
	cut := l.Cut(5)
	assert.Equal(t, "customer-1", cut.Key())
	assert.Equal(t, l.json(), cut.json())
	assert.Equal(t, []string{"body", "xxxxx", broker.KeyField, "custo"}, cut.Entry.Fields)
	assert.Equal(t, []string{broker.KeyField, "customer-1"}, cut.Fields, "the body is not kept")
}
