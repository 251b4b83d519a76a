package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rafka-streams/rafka/internal/admin"
)

// progress shows on a terminal how far a command is. It writes nothing to other files.
type progress struct {
	to    io.Writer // nil if it is not a terminal
	shown time.Time
}

// showEvery is the time between two lines of a progress.
const showEvery = 200 * time.Millisecond

// newProgress returns a progress that is shown on a writer if that is a terminal.
func newProgress(to io.Writer) *progress {
	file, ok := to.(*os.File)
	if !ok {
		return &progress{}
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{to: to}
}

// show overwrites the line about a scan of dead letters.
func (p *progress) show(scan *admin.LetterScan, n int, what string) {
	if p.to == nil || time.Since(p.shown) < showEvery {
		return
	}
	p.shown = time.Now()
	_, _ = fmt.Fprintf(p.to, "\r\x1b[K%d of %s read, %d %s", scan.Seen, count(scan.Total, "entry", "entries"), n, what)
}

// end removes the line.
func (p *progress) end() {
	if !p.shown.IsZero() {
		_, _ = fmt.Fprint(p.to, "\r\x1b[K")
	}
}
