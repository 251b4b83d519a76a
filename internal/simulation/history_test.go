package simulation

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// history records events. It keeps the latest ones and prints them with a violation.
type history struct {
	began time.Time

	mu     sync.Mutex
	events []event
	next   int
	// violation is the first violation; no event is recorded after it.
	violation string
}

// event is one line, formatted only if it is printed.
type event struct {
	at     time.Time
	actor  string
	split  string // "" if the event concerns no particular split
	format string
	args   []any
}

const (
	keptEvents    = 20000
	printedEvents = 150
)

func (h *history) note(actor, split, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.violation != "" {
		return
	}
	e := event{time.Now(), actor, split, format, args}
	if len(h.events) < keptEvents {
		h.events = append(h.events, e)
		return
	}
	h.events[h.next] = e
	h.next = (h.next + 1) % keptEvents
}

// violated records a violation, with the preceding events that concern the split (all events, if
// split is "").
func (h *history) violated(split, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.violation != "" {
		return
	}
	var lines []string
	for _, e := range slices.Concat(h.events[h.next:], h.events[:h.next]) {
		if split == "" || e.split == "" || e.split == split {
			lines = append(
				lines,
				fmt.Sprintf(
					"%9.4fs %-12s %-6s %s",
					e.at.Sub(h.began).Seconds(),
					e.actor,
					e.split,
					fmt.Sprintf(e.format, e.args...),
				),
			)
		}
	}
	lines = lines[max(0, len(lines)-printedEvents):]
	h.violation = fmt.Sprintf(
		"%s\nafter %.4fs:\n%s",
		fmt.Sprintf(format, args...),
		time.Since(h.began).Seconds(),
		strings.Join(lines, "\n"),
	)
}

// failed returns the violation, "" if there is none.
func (h *history) failed() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.violation
}
