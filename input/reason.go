package input

import (
	"errors"
	"strings"

	"github.com/rafka-streams/rafka/internal/broker"
)

// told reports whether an error gives the same reason as an earlier error of the same kind of
// attempt. The texts of network errors differ from one to the next, and a request that a loading
// or busy server rejects may be for other partitions than the request before.
func told(before, err error) bool {
	if before == nil {
		return false
	}
	return before.Error() == err.Error() || broker.Unreachable(before) && broker.Unreachable(err) ||
		broker.Classify(err) == broker.ClassTransient && sameRemedy(before, err)
}

// sameRemedy reports whether the same is to be done about two errors, of whatever attempts.
func sameRemedy(a, b error) bool {
	class := broker.Classify(a)
	if class != broker.Classify(b) {
		return false
	}
	return class != broker.ClassTransient || code(a) == code(b)
}

// code is the first word of what a server answered, such as READONLY.
func code(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	word, _, _ := strings.Cut(err.Error(), " ")
	return word
}
