package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
)

// PartialError is the error beside an answer that is not complete: what is damaged, of another type
// or not permitted is named here, and everything else is in the answer.
type PartialError struct {
	// Problems has at least one error. Each names the key and the remedy.
	Problems []error
}

// Error joins all problems in one line.
func (e *PartialError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		texts[i] = problem.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the problems.
func (e *PartialError) Unwrap() []error { return e.Problems }

// problems collects what becomes a PartialError.
type problems struct {
	// doing begins each.
	doing string
	found []error
	// more counts, for each class of which one error says it all, those after the first, and at is
	// the place of the first.
	more map[rediserr.Class]int
	at   map[rediserr.Class]int
}

// add notes a problem with a subject; nil is none. A missing permission and a server without an
// answer concern many subjects in the same way: the first is noted, and the others are counted.
func (p *problems) add(subject string, err error) {
	if err == nil {
		return
	}
	if class := rediserr.Classify(err); concernsMany(class, err) {
		if _, known := p.at[class]; known {
			p.more[class]++
			return
		}
		if p.at == nil {
			p.at, p.more = map[rediserr.Class]int{}, map[rediserr.Class]int{}
		}
		p.at[class] = len(p.found)
	}
	p.found = append(p.found, fmt.Errorf("%s%s: %w", p.doing, subject, err))
}

func concernsMany(class rediserr.Class, err error) bool {
	switch class {
	case rediserr.ClassTransient, rediserr.ClassPermission, rediserr.ClassAuth:
		return true
	}
	return class == rediserr.ClassConnection && rediserr.Unreachable(err)
}

// err is nil if nothing was noted.
func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	e := &PartialError{Problems: append([]error{}, p.found...)}
	for class, more := range p.more {
		i := p.at[class]
		e.Problems[i] = fmt.Errorf("%w, and the same for %d more", e.Problems[i], more)
	}
	return e
}

// ask sends a pipeline whose commands may fail one by one: each has its own error. The error is
// that no command has an answer.
func ask(ctx context.Context, pipe redis.Pipeliner) error {
	if pipe.Len() == 0 {
		return nil
	}
	commands, err := pipe.Exec(ctx)
	for _, c := range commands {
		if class := rediserr.Classify(c.Err()); class != rediserr.ClassConnection && class != rediserr.ClassAuth {
			return nil
		}
	}
	return rediserr.Explain(err)
}
