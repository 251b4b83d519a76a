package script

import (
	"fmt"
	"strconv"
)

// Reply is what a script answered: an array that begins with a word. Its methods never panic; what
// is missing or malformed reads as empty, or is an error where it matters.
type Reply []any

// ReplyOf returns the array of a script's answer, empty if it is none.
func ReplyOf(value any) Reply {
	list, _ := value.([]any)
	return list
}

// Word returns the string at index i, empty if there is none.
func (r Reply) Word(i int) string {
	if i >= len(r) {
		return ""
	}
	text, _ := r[i].(string)
	return text
}

// Words returns the array of strings at index i.
func (r Reply) Words(i int) []string {
	if i >= len(r) {
		return nil
	}
	list, _ := r[i].([]any)
	out := make([]string, 0, len(list))
	for _, item := range list {
		text, _ := item.(string)
		out = append(out, text)
	}
	return out
}

// Number returns the unsigned number at index i.
func (r Reply) Number(i int) (uint64, error) {
	n, err := strconv.ParseUint(r.Word(i), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("index %d: %w", i, err)
	}
	return n, nil
}

// Signed returns the number at index i, which may be negative.
func (r Reply) Signed(i int) (int64, error) {
	n, err := strconv.ParseInt(r.Word(i), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("index %d: %w", i, err)
	}
	return n, nil
}

// Unexpected is the error for a reply that the script cannot have made.
func Unexpected(s *Script, value any) error {
	return fmt.Errorf("the %s script answered %.200q, which it never does", s.Name, value)
}

// Unreadable is unexpected, and says what can't be read in the reply.
func Unreadable(s *Script, value any, err error) error {
	return fmt.Errorf("%w: %w", Unexpected(s, value), err)
}
