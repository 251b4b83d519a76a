package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
)

// PartialError is returned together with an incomplete result. It names everything that is damaged,
// has another type or is not permitted; everything else is in the result.
type PartialError struct {
	// Problems has at least one error. Each error names the key and the remedy.
	Problems []error
}

// Error returns all problems in one line.
func (e *PartialError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		texts[i] = problem.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the problems.
func (e *PartialError) Unwrap() []error { return e.Problems }

// problemList collects the errors of a PartialError.
type problemList struct {
	// doing is the beginning of each error.
	doing string
	found []error
	// more counts, for each class that affects many subjects, the errors after the first one; index
	// is the index of the first one in found.
	more  map[rediserr.Class]int
	index map[rediserr.Class]int
}

// add adds an error about a subject; nil is ignored. A missing permission and an unavailable server
// affect many subjects in the same way: only the first error is kept, and the others are counted.
func (p *problemList) add(subject string, err error) {
	if err == nil {
		return
	}
	if class := rediserr.Classify(err); affectsMany(class, err) {
		if _, known := p.index[class]; known {
			p.more[class]++
			return
		}
		if p.index == nil {
			p.index, p.more = map[rediserr.Class]int{}, map[rediserr.Class]int{}
		}
		p.index[class] = len(p.found)
	}
	p.found = append(p.found, fmt.Errorf("%s%s: %w", p.doing, subject, err))
}

func affectsMany(class rediserr.Class, err error) bool {
	switch class {
	case rediserr.ClassTransient, rediserr.ClassPermission, rediserr.ClassAuth:
		return true
	}
	return class == rediserr.ClassConnection && rediserr.Unreachable(err)
}

// err returns the *PartialError, or nil without errors.
func (p *problemList) err() error {
	if len(p.found) == 0 {
		return nil
	}
	e := &PartialError{Problems: append([]error{}, p.found...)}
	for class, more := range p.more {
		i := p.index[class]
		e.Problems[i] = fmt.Errorf("%w, and the same for %d more", e.Problems[i], more)
	}
	return e
}

// execEach sends a pipeline whose commands can fail separately: each command has its own error.
// execEach fails only if no command got a reply.
func execEach(ctx context.Context, pipe redis.Pipeliner) error {
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
