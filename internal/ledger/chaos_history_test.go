//go:build ledger

package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whom a blow hits that hits more than one process.
const (
	theServers = "redis"
	theMachine = "the machine"
)

// effect is what a blow may be an excuse for.
type effect int

const (
	// gentle blows are none: nothing is read again for them.
	gentle effect = iota
	// harsh ones may be why something is read again.
	harsh
	// lone ones are harsh, and nothing else is begun for a while before and after.
	lone
	// freezing ones, too; and who was frozen finishes afterwards what it had in hand.
	freezing
)

// blow is one misfortune as it happened.
type blow struct {
	what     string
	whom     []string
	effect   effect
	from, to time.Time // to is zero while it lasts
}

func (b blow) String() string {
	to := "goes on"
	if !b.to.IsZero() {
		to = "lasts " + b.to.Sub(b.from).Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%s  %s: %s, %s", clock(b.from), strings.Join(b.whom, ", "), b.what, to)
}

// hits reports whether it was on one of these.
func (b blow) hits(these []string) bool {
	return slices.ContainsFunc(b.whom, func(name string) bool { return slices.Contains(these, name) })
}

func clock(moment time.Time) string { return moment.Format("15:04:05.000") }

// overlaps reports whether it happened, or still went on, in the stretch.
func (b blow) overlaps(from, to time.Time) bool {
	return !b.from.After(to) && (b.to.IsZero() || !b.to.Before(from))
}

// history is all that happened, in the order in which it was noted. It may be used concurrently.
type history struct {
	mu    sync.Mutex
	blows []*blow
}

// begin notes a blow.
func (h *history) begin(what, whom string, e effect) *blow {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := &blow{what: what, whom: []string{whom}, effect: e, from: time.Now()}
	h.blows = append(h.blows, b)
	return b
}

// also notes that a blow is on somebody else, too.
func (h *history) also(b *blow, whom string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.whom = append(b.whom, whom)
}

// end ends a blow, if it has not ended.
func (h *history) end(b *blow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b.to.IsZero() {
		b.to = time.Now()
	}
}

// past notes what was noticed afterwards only.
func (h *history) past(b blow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blows = append(h.blows, &b)
}

// during returns what happened in a stretch to these.
func (h *history) during(from, to time.Time, whom ...string) []blow {
	return slices.DeleteFunc(h.all(from, to), func(b blow) bool { return !b.hits(whom) })
}

// all returns what happened in a stretch.
func (h *history) all(from, to time.Time) (found []blow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.blows {
		if b.overlaps(from, to) {
			found = append(found, *b)
		}
	}
	return found
}

// calm is the longest part of a stretch that none of the blows touches.
func calm(from, to time.Time, blows []blow) (longest time.Duration) {
	quiet := from
	slices.SortFunc(blows, func(x, y blow) int { return x.from.Compare(y.from) })
	for _, b := range blows {
		longest = max(longest, b.from.Sub(quiet))
		if b.to.IsZero() {
			return longest
		}
		if b.to.After(quiet) {
			quiet = b.to
		}
	}
	return max(longest, to.Sub(quiet))
}

// excuses are the blows that a partition may have stood still for: those on the servers and on its
// readers, and of these only so much as it takes until others read it.
func (h *history) excuses(from, to time.Time, readers []string) []blow {
	found := slices.DeleteFunc(
		h.during(from, to, theServers, theMachine),
		func(b blow) bool { return b.effect == gentle },
	)
	for _, b := range h.during(from.Add(-takeoverWithin), to, readers...) {
		if taken := b.from.Add(takeoverWithin); b.to.IsZero() || b.to.After(taken) {
			b.to = taken
		}
		found = append(found, b)
	}
	return found
}

// around tells what happened about a stretch.
func (h *history) around(from, to time.Time) string {
	var text strings.Builder
	found := h.all(from.Add(-2*takeoverWithin), to.Add(takeoverWithin))
	slices.SortFunc(found, func(x, y blow) int { return x.from.Compare(y.from) })
	for _, b := range found {
		fmt.Fprintln(&text, b)
	}
	return text.String()
}

// figures logs how often each thing happened.
func (h *history) figures(t testing.TB) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	count := map[string]int{}
	for _, b := range h.blows {
		count[b.what]++
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		figure(t, "strikes: "+what, "%d", count[what])
	}
}
