package splitstest

import (
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Link is a network connection that limits the answers to Fetch. The zero Link carries every answer
// immediately.
type Link struct {
	// Rate is the number of bytes per second; 0 for no limit.
	Rate int
	// Timeout is how long the caller waits for an answer; 0 for no limit.
	Timeout time.Duration
	// MaxBytes is the size in bytes above which an answer is cut off immediately; 0 for no limit.
	MaxBytes int
}

// SetLink sends the answers to following calls of Fetch through a link.
func (f *Faults) SetLink(link Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link = link
}

// carry waits for the time that an answer takes. The error is splits.ErrUnfinished if the answer
// does not arrive. As with Redis, the end of a context does not interrupt it.
func (f *Faults) carry(fetched []splits.Fetched) error {
	f.mu.Lock()
	link := f.link
	f.mu.Unlock()
	size := 0
	for _, one := range fetched {
		for _, entry := range one.Entries {
			size += entry.Size()
		}
	}
	if link.MaxBytes > 0 && size > link.MaxBytes {
		f.count(Fetch, func(c *Counts) { c.Lost++ })
		return fmt.Errorf("splitstest: connection closed in an answer of %d bytes: %w", size, splits.ErrUnfinished)
	}
	if link.Rate == 0 {
		return nil
	}
	needed := time.Duration(float64(size) / float64(link.Rate) * float64(time.Second))
	if link.Timeout > 0 && needed > link.Timeout {
		time.Sleep(link.Timeout)
		f.count(Fetch, func(c *Counts) { c.Lost++ })
		return fmt.Errorf(
			"splitstest: no complete answer of %d bytes within %s: %w",
			size,
			link.Timeout,
			splits.ErrUnfinished,
		)
	}
	time.Sleep(needed)
	return nil
}
