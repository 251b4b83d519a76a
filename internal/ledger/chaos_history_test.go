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

// Targets of events that affect more than one process.
const (
	allServers = "redis"
	machine    = "the machine"
)

// effect is what a fault can cause.
type effect int

const (
	// harmless faults cause nothing: no message is read again because of them.
	harmless effect = iota
	// disruptive faults can cause messages to be read again.
	disruptive
	// exclusive faults are disruptive, and the nemesis injects no other fault for a while before
	// and after.
	exclusive
	// freezing faults are disruptive, too. Afterwards the frozen process finishes its messages in
	// flight.
	freezing
)

// faultEvent is one fault as it happened.
type faultEvent struct {
	what     string
	targets  []string
	effect   effect
	from, to time.Time // to is zero while it lasts
}

func (e faultEvent) String() string {
	to := "continues"
	if !e.to.IsZero() {
		to = "lasts " + e.to.Sub(e.from).Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%s  %s: %s, %s", clock(e.from), strings.Join(e.targets, ", "), e.what, to)
}

// hits reports whether the event affected any of the targets.
func (e faultEvent) hits(these []string) bool {
	return slices.ContainsFunc(e.targets, func(name string) bool { return slices.Contains(these, name) })
}

func clock(moment time.Time) string { return moment.Format("15:04:05.000") }

// overlaps reports whether the event overlaps with a period.
func (e faultEvent) overlaps(from, to time.Time) bool {
	return !e.from.After(to) && (e.to.IsZero() || !e.to.Before(from))
}

// history holds all events in the order in which they were recorded. It is safe for concurrent use.
type history struct {
	mu     sync.Mutex
	events []*faultEvent
}

// begin records an event that lasts until end.
func (h *history) begin(what, target string, kind effect) *faultEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := &faultEvent{what: what, targets: []string{target}, effect: kind, from: time.Now()}
	h.events = append(h.events, e)
	return e
}

// alsoHits adds a target to an event.
func (h *history) alsoHits(b *faultEvent, target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.targets = append(b.targets, target)
}

// end ends an event, unless it has ended.
func (h *history) end(e *faultEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.to.IsZero() {
		e.to = time.Now()
	}
}

// past records an event that was noticed only afterwards.
func (h *history) past(e faultEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, &e)
}

// during returns the events that affected any of the targets in a period.
func (h *history) during(from, to time.Time, targets ...string) []faultEvent {
	return slices.DeleteFunc(h.all(from, to), func(e faultEvent) bool { return !e.hits(targets) })
}

// all returns the events in a period.
func (h *history) all(from, to time.Time) (found []faultEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.overlaps(from, to) {
			found = append(found, *e)
		}
	}
	return found
}

// undisturbed returns the longest part of a period that overlaps with none of the events, and the
// length of all such parts together.
func undisturbed(from, to time.Time, events []faultEvent) (longest, total time.Duration) {
	quiet := from
	add := func(until time.Time) {
		part := max(0, until.Sub(quiet))
		longest, total = max(longest, part), total+part
	}
	slices.SortFunc(events, func(x, y faultEvent) int { return x.from.Compare(y.from) })
	for _, e := range events {
		add(e.from)
		if e.to.IsZero() {
			return longest, total
		}
		if e.to.After(quiet) {
			quiet = e.to
		}
	}
	add(to)
	return longest, total
}

// ofServers returns the events on the servers that can explain why messages were not read.
func (h *history) ofServers(from, to time.Time) []faultEvent {
	return slices.DeleteFunc(
		h.during(from, to, allServers, machine),
		func(e faultEvent) bool { return e.effect == harmless },
	)
}

// causes returns the events that can explain why a partition was idle: events on the servers, and
// events on its readers, which count only until other consumers must have taken over.
func (h *history) causes(from, to time.Time, readers []string) []faultEvent {
	found := h.ofServers(from, to)
	for _, e := range h.during(from.Add(-takeoverWithin), to, readers...) {
		if taken := e.from.Add(takeoverWithin); e.to.IsZero() || e.to.After(taken) {
			e.to = taken
		}
		found = append(found, e)
	}
	return found
}

// causesOfWait returns the events that can explain why a message of the share group waited: events
// on the servers, and events on any of its members, each of which counts until other members must
// have taken over.
func (h *history) causesOfWait(from, to time.Time) []faultEvent {
	found := h.ofServers(from, to)
	for _, e := range h.all(from.Add(-takeoverWithin), to) {
		hit := func(name string) bool { return strings.HasPrefix(name, sharerPrefix) }
		if slices.ContainsFunc(e.targets, hit) {
			e.to = e.from.Add(takeoverWithin)
			found = append(found, e)
		}
	}
	return found
}

// around returns a text with the events around a period.
func (h *history) around(from, to time.Time) string {
	var text strings.Builder
	found := h.all(from.Add(-2*takeoverWithin), to.Add(takeoverWithin))
	slices.SortFunc(found, func(x, y faultEvent) int { return x.from.Compare(y.from) })
	for _, e := range found {
		fmt.Fprintln(&text, e)
	}
	return text.String()
}

// figures logs how often each fault happened.
func (h *history) figures(t testing.TB) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	count := map[string]int{}
	for _, e := range h.events {
		count[e.what]++
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		figure(t, "faults: "+what, "%d", count[what])
	}
}
