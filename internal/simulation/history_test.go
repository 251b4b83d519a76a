package simulation

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// history remembers what happened, for whoever has to understand a violation. Only the latest
// events are kept.
type history struct {
	began time.Time

	mu     sync.Mutex
	events []event
	next   int
	// violation is the first one; nothing is recorded after it.
	violation string
}

// event is one line, formatted only if it is printed.
type event struct {
	at     time.Time
	who    string
	split  string // "" if it is about none in particular
	format string
	args   []any
}

const (
	keptEvents    = 20000
	printedEvents = 150
)

func (h *history) note(who, split, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.violation != "" {
		return
	}
	e := event{time.Now(), who, split, format, args}
	if len(h.events) < keptEvents {
		h.events = append(h.events, e)
		return
	}
	h.events[h.next] = e
	h.next = (h.next + 1) % keptEvents
}

// violated records that something happened that must not, and the events before it that concern the
// split (all, if it is "").
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
					e.who,
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

// failed returns the violation, "" if there was none.
func (h *history) failed() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.violation
}
