package input

import (
	"errors"
	"strings"

	"github.com/rafka-streams/rafka/internal/rediserr"
)

// sameReport reports whether err means the same to an operator as an earlier error of the same kind
// of attempt. Two network errors do, although their texts differ.
func sameReport(before, err error) bool {
	if before == nil {
		return false
	}
	return before.Error() == err.Error() || rediserr.Unreachable(before) && rediserr.Unreachable(err) ||
		rediserr.Classify(err) == rediserr.ClassTransient && sameRemedy(before, err)
}

// sameRemedy reports whether two errors, of any attempts, have the same remedy.
func sameRemedy(a, b error) bool {
	class := rediserr.Classify(a)
	if class != rediserr.Classify(b) {
		return false
	}
	return class != rediserr.ClassTransient || errorCode(a) == errorCode(b)
}

// errorCode returns the first word of a server's error, such as READONLY.
func errorCode(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	word, _, _ := strings.Cut(err.Error(), " ")
	return word
}
