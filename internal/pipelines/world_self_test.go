package pipelines

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// small is a world of three messages of one key and partition, of which the last may be dropped.
func small(p *plan) *world {
	p.drops = append(p.drops, func(n int) bool { return n == 2 })
	w := newWorld(p, newTally())
	for n := range 3 {
		w.messages = append(w.messages, message{key: "k", offset: splits.Offset{Millis: uint64(n + 1)}})
	}
	return w
}

// upTo is what is committed if the group has come so far.
func upTo(millis uint64) map[position]splits.Offset {
	return map[position]splits.Offset{{0, 0}: {Millis: millis}}
}

func TestWhatIsCommittedMustHaveArrived(t *testing.T) {
	w := small(&plan{need: either{at{sink: "a"}, all{at{sink: "b"}, at{sink: "c"}}}})
	assert.Empty(t, w.lost(nil), "nothing is committed")
	assert.Equal(t, []string{"m0000 (partition 0 of t0)", "m0001 (partition 0 of t0)"}, w.lost(upTo(3)))
	w.write(&sink{name: "a"}, [][]token{{"m0000;"}})
	assert.Empty(t, w.lost(upTo(1)))
	w.write(&sink{name: "b"}, [][]token{{"m0001;"}})
	assert.Equal(t, []string{"m0001 (partition 0 of t0)"}, w.lost(upTo(2)), "one of two sinks is not enough")
	w.write(&sink{name: "c"}, [][]token{{"m0001;"}})
	assert.Empty(t, w.lost(upTo(3)))
	assert.Equal(t, 1, w.uncommitted(upTo(2)))
}

func TestPiecesMustArriveAll(t *testing.T) {
	w := small(&plan{need: at{sink: "a"}, factors: []int{2}})
	w.write(&sink{name: "a"}, [][]token{{"m0000.1;"}, {"m0001;"}})
	assert.Equal(t, []string{"m0000 (partition 0 of t0)"}, w.lost(upTo(3)), "m0001 arrived before it was split")
	w.write(&sink{name: "a"}, [][]token{{"m0000.0;"}})
	assert.Empty(t, w.lost(upTo(3)))

	split := at{sink: "a", pieces: 2}
	has := map[string]map[token]bool{"a": {"m0000.0;": true}}
	assert.False(t, split.met(has, "m0000;"))
	has["a"]["m0000.1;"] = true
	assert.True(t, split.met(has, "m0000;"))
}

func TestWhatIsRefusedHasNotArrived(t *testing.T) {
	refuse := func() *plan {
		return &plan{need: at{sink: "a"}, troubles: []trouble{{kind: oneMessage, place: "a", number: 1, times: 1}}}
	}
	batch := [][]token{{"m0000;"}, {"m0001;"}}
	w := small(refuse())
	failed, whole := w.write(&sink{name: "a", partial: true}, batch)
	assert.Equal(t, []int{1}, failed)
	assert.False(t, whole)
	assert.Equal(t, []string{"m0001 (partition 0 of t0)"}, w.lost(upTo(3)))

	w = small(refuse())
	_, whole = w.write(&sink{name: "a"}, batch)
	assert.True(t, whole, "a sink that does not say which message failed takes none")
	assert.Len(t, w.lost(upTo(3)), 2)
	_, whole = w.write(&sink{name: "a"}, batch)
	assert.False(t, whole, "it heals")
	assert.Empty(t, w.lost(upTo(3)))
}

func TestOrderIsWatched(t *testing.T) {
	w := small(&plan{need: at{sink: "a"}, ordered: true})
	w.write(&sink{name: "a"}, [][]token{{"m0000;"}, {"m0001;"}})
	assert.Empty(t, w.misordered(), "those of one write may come together")
	w = small(&plan{need: at{sink: "a"}, ordered: true})
	w.write(&sink{name: "a"}, [][]token{{"m0001;"}, {"m0000;"}})
	assert.Equal(t, "a gets m0001 before m0000, which has the same key and has not arrived", w.misordered())
}

func TestTokensAreFoundInAnyBody(t *testing.T) {
	body := `[{"id":"m0007.1;","n":7},{"id":"m0012;"}]` + "\n" + `m0003.0.2;`
	assert.Equal(t, []token{"m0007.1;", "m0012;", "m0003.0.2;"}, tokensIn([]byte(body)))
	assert.Equal(t, []token{"m0003.0.2;", "m0003.0;", "m0003;"}, token("m0003.0.2;").lineage())
	assert.Equal(t, []token{"m0001.0.0;", "m0001.0.1;", "m0001.1.0;", "m0001.1.1;"}, pieces(1, []int{2, 2}))
}
