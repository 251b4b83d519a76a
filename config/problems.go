package config

import (
	"fmt"
	"strings"
)

// problems is everything that is wrong with a configuration. Each names the field and the remedy.
type problems []string

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, field+": "+fmt.Sprintf(format, args...))
}

func (p *problems) addErr(err error) {
	if err != nil {
		*p = append(*p, err.Error())
	}
}

// err is nil if there is no problem.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Error joins all of them in one line.
func (p problems) Error() string { return strings.Join(p, "; ") }
