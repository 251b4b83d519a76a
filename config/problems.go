package config

import (
	"fmt"
	"strings"
	"time"
)

// Problems is everything that is wrong with a configuration. Each names the field and the remedy.
type Problems []string

// Add notes a problem with a field.
func (p *Problems) Add(field, format string, args ...any) {
	*p = append(*p, field+": "+fmt.Sprintf(format, args...))
}

// AddShort notes that a duration is shorter than the least one. Zero is none: it was not read, or
// is refused elsewhere.
func (p *Problems) AddShort(field string, d, least time.Duration) {
	if d > 0 && d < least {
		p.Add(field, "is %s: set it to %s or more", d, least)
	}
}

// AddErr notes an error that names its field already; nil is none.
func (p *Problems) AddErr(err error) {
	if err != nil {
		*p = append(*p, err.Error())
	}
}

// Err is nil if there is no problem.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Error joins all of them in one line.
func (p Problems) Error() string { return strings.Join(p, "; ") }
