package script

import (
	"fmt"
	"strconv"
)

// Reply is the reply of a script: an array that begins with a word. Its methods never panic. A
// missing or malformed element reads as empty, or is an error for numbers.
type Reply []any

// ReplyOf returns the array in a script's reply, empty if the reply is not an array.
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

// Signed returns the number at index i, which can be negative.
func (r Reply) Signed(i int) (int64, error) {
	n, err := strconv.ParseInt(r.Word(i), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("index %d: %w", i, err)
	}
	return n, nil
}

// Unexpected returns the error for a reply that the script never sends.
func Unexpected(s *Script, value any) error {
	return fmt.Errorf("the %s script answered %.200q, which it never does", s.Name, value)
}

// Unreadable is Unexpected with the reason why the reply can't be decoded.
func Unreadable(s *Script, value any, err error) error {
	return fmt.Errorf("%w: %w", Unexpected(s, value), err)
}
