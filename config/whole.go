package config

import (
	"fmt"
	"math"
)

// Problems collects what is wrong with a component's fields. Each names the field and the remedy.
type Problems []string

// Add notes a problem with a field.
func (p *Problems) Add(field, format string, args ...any) {
	*p = append(*p, field+": "+fmt.Sprintf(format, args...))
}

// AddErr notes an error that names its field already; nil is none.
func (p *Problems) AddErr(err error) {
	if err != nil {
		*p = append(*p, err.Error())
	}
}

// Whole returns the number in a field, 0 if there is none, and whether it is a whole one within the bounds.
func (f Fields) Whole(field string, lowest, highest int64) (int64, bool) {
	var n int64
	switch v := f[field].(type) {
	case nil:
		return 0, true
	case int:
		n = int64(v)
	case int64:
		n = v
	case uint64:
		if v > math.MaxInt64 {
			return 0, false
		}
		n = int64(v)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, false
		}
		n = int64(v)
	default:
		return 0, false
	}
	return n, n >= lowest && n <= highest
}
