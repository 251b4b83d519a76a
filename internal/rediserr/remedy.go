package rediserr

import (
	"errors"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
)

// Explain adds a remedy for users to an error of a Redis client. errors.Is and errors.As still find
// the cause. Explain returns the error unchanged if the error already has a remedy or if the remedy
// is unknown.
func Explain(err error) error {
	if _, before := errors.AsType[*explained](err); before {
		return err
	}
	if _, remedy := diagnose(err); remedy != "" {
		return &explained{cause: err, remedy: remedy}
	}
	return err
}

// ExplainRead is like Explain, but for requests whose replies contain entries of any size. For
// these requests, a closed connection does not prove that the server is unreachable.
func ExplainRead(err error) error {
	if CutOff(err) && !NeverSent(err) {
		return &explained{cause: err, remedy: remedyCut}
	}
	return Explain(err)
}

// WithRemedy adds a remedy to an error.
func WithRemedy(cause error, remedy string) error {
	return &explained{cause: cause, remedy: remedy}
}

// Explained returns the error in the chain that has a remedy, with the remedy. It returns nil if no
// error in the chain has a remedy.
func Explained(err error) error {
	if with, ok := errors.AsType[*explained](err); ok {
		return with
	}
	return nil
}

type explained struct {
	cause  error
	remedy string
}

// Error returns a single line, even if the cause contains several replies. It replaces the
// characters of the cause that could control a terminal.
func (e *explained) Error() string {
	return keys.Visible(strings.ReplaceAll(e.cause.Error(), "\n", ", ")) + " (" + e.remedy + ")"
}

func (e *explained) Unwrap() error { return e.cause }
