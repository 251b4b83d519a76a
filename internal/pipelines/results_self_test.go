package pipelines

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// smallResults returns results with three messages of one key and partition. The last one can be
// dropped.
func smallResults(p *plan) *results {
	p.drops = append(p.drops, func(n int) bool { return n == 2 })
	r := newResults(p, newCounts())
	for n := range 3 {
		r.messages = append(r.messages, message{key: "k", offset: splits.Offset{Millis: uint64(n + 1)}})
	}
	return r
}

// upTo returns the commits of a group that has committed up to an offset.
func upTo(millis uint64) map[partitionID]position {
	return map[partitionID]position{{0, 0}: {upTo: splits.Offset{Millis: millis}}}
}

// Messages of a share group that are pending are not acknowledged, although later ones are.
func TestPendingMessagesMayBeMissing(t *testing.T) {
	r := smallResults(&plan{requirement: atSink{sink: "a"}})
	got := map[partitionID]position{{0, 0}: {
		upTo: splits.Offset{Millis: 3}, open: map[splits.Offset]bool{{Millis: 1}: true},
	}}
	assert.Equal(t, []string{"m0001 (partition 0 of t0)"}, r.lost(got))
	assert.Equal(t, 1, r.uncommitted(got))
	r.write(&sink{name: "a"}, [][]token{{"m0001;"}})
	assert.Empty(t, r.lost(got))
}

func TestCommittedMessagesMustHaveArrived(t *testing.T) {
	r := smallResults(&plan{requirement: anyOf{atSink{sink: "a"}, allOf{atSink{sink: "b"}, atSink{sink: "c"}}}})
	assert.Empty(t, r.lost(nil), "nothing is committed")
	assert.Equal(t, []string{"m0000 (partition 0 of t0)", "m0001 (partition 0 of t0)"}, r.lost(upTo(3)))
	r.write(&sink{name: "a"}, [][]token{{"m0000;"}})
	assert.Empty(t, r.lost(upTo(1)))
	r.write(&sink{name: "b"}, [][]token{{"m0001;"}})
	assert.Equal(t, []string{"m0001 (partition 0 of t0)"}, r.lost(upTo(2)), "one of two sinks is not enough")
	r.write(&sink{name: "c"}, [][]token{{"m0001;"}})
	assert.Empty(t, r.lost(upTo(3)))
	assert.Equal(t, 1, r.uncommitted(upTo(2)))
}

func TestAllPiecesMustArrive(t *testing.T) {
	r := smallResults(&plan{requirement: atSink{sink: "a"}, factors: []int{2}})
	r.write(&sink{name: "a"}, [][]token{{"m0000.1;"}, {"m0001;"}})
	assert.Equal(t, []string{"m0000 (partition 0 of t0)"}, r.lost(upTo(3)), "m0001 arrived before it was split")
	r.write(&sink{name: "a"}, [][]token{{"m0000.0;"}})
	assert.Empty(t, r.lost(upTo(3)))

	split := atSink{sink: "a", pieces: 2}
	has := map[string]map[token]bool{"a": {"m0000.0;": true}}
	assert.False(t, split.isMet(has, "m0000;"))
	has["a"]["m0000.1;"] = true
	assert.True(t, split.isMet(has, "m0000;"))
}

func TestRefusedMessagesHaveNotArrived(t *testing.T) {
	refuse := func() *plan {
		return &plan{
			requirement: atSink{sink: "a"},
			faults:      []fault{{kind: oneMessage, component: "a", number: 1, times: 1}},
		}
	}
	batch := [][]token{{"m0000;"}, {"m0001;"}}
	r := smallResults(refuse())
	failed, whole := r.write(&sink{name: "a", partial: true}, batch)
	assert.Equal(t, []int{1}, failed)
	assert.False(t, whole)
	assert.Equal(t, []string{"m0001 (partition 0 of t0)"}, r.lost(upTo(3)))

	r = smallResults(refuse())
	_, whole = r.write(&sink{name: "a"}, batch)
	assert.True(t, whole, "a sink that names no message accepts none")
	assert.Len(t, r.lost(upTo(3)), 2)
	_, whole = r.write(&sink{name: "a"}, batch)
	assert.False(t, whole, "the fault ends")
	assert.Empty(t, r.lost(upTo(3)))
}

func TestOrderViolationIsDetected(t *testing.T) {
	r := smallResults(&plan{requirement: atSink{sink: "a"}, ordered: true})
	r.write(&sink{name: "a"}, [][]token{{"m0000;"}, {"m0001;"}})
	assert.Empty(t, r.firstOrderViolation(), "messages of one write can arrive together")
	r = smallResults(&plan{requirement: atSink{sink: "a"}, ordered: true})
	r.write(&sink{name: "a"}, [][]token{{"m0001;"}, {"m0000;"}})
	assert.Equal(
		t,
		"a receives m0001 before m0000, which has the same key and has not arrived",
		r.firstOrderViolation(),
	)
}

func TestTokensAreFoundInAnyBody(t *testing.T) {
	body := `[{"id":"m0007.1;","n":7},{"id":"m0012;"}]` + "\n" + `m0003.0.2;`
	assert.Equal(t, []token{"m0007.1;", "m0012;", "m0003.0.2;"}, tokensIn([]byte(body)))
	assert.Equal(t, []token{"m0003.0.2;", "m0003.0;", "m0003;"}, token("m0003.0.2;").lineage())
	assert.Equal(t, []token{"m0001.0.0;", "m0001.0.1;", "m0001.1.0;", "m0001.1.1;"}, pieces(1, []int{2, 2}))
}
