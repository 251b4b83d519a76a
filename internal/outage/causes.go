package outage

import (
	"math"
	"slices"
	"time"
)

// Causes are the errors that a component returned to the engine lately, which logs each of them.
// Requests of one outage can fail in several ways by turns, so the last error alone does not tell
// whether another one is new. The zero value is empty. It is not safe for concurrent use.
type Causes struct {
	// Same reports whether err gives the same reason as an earlier error. Nil: all errors do.
	Same func(before, err error) bool
	// Memory is how long an error is remembered. The last one is always remembered.
	Memory time.Duration

	known []cause // the last one is the last
}

type cause struct {
	err error
	at  time.Time
}

// Add notes that err was returned.
func (c *Causes) Add(err error, now time.Time) {
	c.known = slices.DeleteFunc(c.known, func(k cause) bool {
		return now.Sub(k.at) >= c.Memory || c.same(k.err, err)
	})
	c.known = append(c.known, cause{err, now})
}

// Find returns the time since an error with the same reason was returned, and whether it was the
// last one. The time has no limit if the reason is not known.
func (c *Causes) Find(err error, now time.Time) (age time.Duration, last bool) {
	i := slices.IndexFunc(c.known, func(k cause) bool { return c.same(k.err, err) })
	if i < 0 {
		return math.MaxInt64, false
	}
	return now.Sub(c.known[i].at), i == len(c.known)-1
}

// Clear forgets all errors.
func (c *Causes) Clear() { c.known = nil }

func (c *Causes) same(before, err error) bool { return c.Same == nil || c.Same(before, err) }
