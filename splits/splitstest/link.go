package splitstest

import (
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Link is a network connection that does not carry every answer to a Fetch. The zero Link carries
// all of them at once.
type Link struct {
	// Rate is how many bytes the link carries in a second; 0 for any number.
	Rate int
	// Patience is how long the caller waits for an answer; 0 for any time.
	Timeout time.Duration
	// Most is the size in bytes above which an answer is cut off at once; 0 for none.
	MaxBytes int
}

// SetLink makes the answers of following calls of Fetch go through a link.
func (f *Faults) SetLink(link Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link = link
}

// carry takes the time that an answer needs. The error is splits.ErrUnfinished if the answer does
// not arrive. As with Redis, the end of a context does not interrupt it.
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
