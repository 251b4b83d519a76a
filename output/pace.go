package output

import "time"

const (
	// connectPause is the time between two attempts to connect.
	connectPause = 500 * time.Millisecond
	// longestPace is the most time between two reports that connecting still fails.
	longestPace = 30 * time.Second
)

// pace spaces the reports that connecting fails, not the attempts. The zero pace is that of a
// connection that was just lost.
type pace struct{ last time.Duration }

// next returns the time until the next report: none the first time, then growing.
func (p *pace) next() time.Duration {
	now := p.last
	p.last = min(max(2*p.last, time.Second), longestPace)
	return now
}
