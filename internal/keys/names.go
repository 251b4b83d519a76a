package keys

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the largest number of characters in the name of a topic, a group, a consumer or an
// instance. It is Kafka's limit.
const MaxName = 249

// MaxPartitions is the largest number of partitions that a topic can have.
const MaxPartitions = 100_000

// ValidateTopic checks that name can be a stream_name. partitioned is true if the topic will be
// created with partitions, whose keys must not be keys of another topic. The error names the field
// and the remedy.
func ValidateTopic(name string, partitioned bool) error {
	if err := validateName("stream_name", name); err != nil {
		return err
	}
	if err := validateBraces(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, Prefix) && strings.ContainsAny(name, "{}") {
		return fmt.Errorf(
			"stream_name: %q can be one of rafka's own keys: remove the prefix %q or the braces",
			name,
			Prefix,
		)
	}
	if partitioned && endsInNumber(name) {
		return fmt.Errorf(
			"stream_name: %q ends like a partition of another topic: a topic that is created with partitions "+
				"needs a name that does not end in a colon and a number",
			name,
		)
	}
	return nil
}

// ValidateGroup checks that name can be a consumer_group. The error names the field and the remedy.
func ValidateGroup(name string) error { return validateName("consumer_group", name) }

// ValidateConsumer checks that name can be a consumer_name. The error names the field and the
// remedy.
func ValidateConsumer(name string) error { return validateName("consumer_name", name) }

// ValidateInstance checks that name can be an instance_id. The error names the field and the
// remedy.
func ValidateInstance(name string) error {
	if err := validateName("instance_id", name); err != nil {
		return err
	}
	if strings.Contains(name, "/") {
		return fmt.Errorf("instance_id: %q has a slash, which separates the parts of member names: remove it", name)
	}
	return nil
}

// validateName checks the rules for all names. An error quotes only the beginning of a long name,
// because the name can come from a message.
func validateName(field, name string) error {
	switch n := utf8.RuneCountInString(name); {
	case strings.TrimSpace(name) == "":
		return errors.New(field + " is empty: set it to a name")
	case n > MaxName:
		return fmt.Errorf("%s: %.40q... has %d characters: use %d at most, as in Kafka", field, name, n, MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s: %q is not valid UTF-8: use other characters", field, name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%s: %q has control characters: remove them", field, name)
	}
	if i := strings.IndexFunc(name, hidden); i >= 0 {
		r, _ := utf8.DecodeRuneInString(name[i:])
		return fmt.Errorf(
			"%s: %+q has %U, a character that is invisible or changes how other characters look: remove it",
			field,
			name,
			r,
		)
	}
	return nil
}

// hidden reports whether a character is invisible: control characters, characters that change the
// direction of text, line separators, and characters without width, such as format characters. Two
// names that differ only in such characters look the same, and a terminal can execute them.
func hidden(r rune) bool {
	return unicode.In(
		r,
		unicode.Cc,
		unicode.Cf,
		unicode.Zl,
		unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point,
		unicode.Variation_Selector,
	)
}

// Visible returns the text with Go escapes in the place of invisible characters, line breaks and
// bytes that are not UTF-8. Use it for text from a server, where other programs write too: a
// terminal could execute such characters. Text without them is returned unchanged.
func Visible(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case hidden(r):
			quoted := fmt.Sprintf("%+q", r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// validateBraces checks that the name has no braces or one hash tag. With other braces, the keys of
// the topic would not share a slot.
func validateBraces(name string) error {
	opened, closed := strings.Count(name, "{"), strings.Count(name, "}")
	if opened == 0 && closed == 0 {
		return nil
	}
	from, to := strings.IndexByte(name, '{'), strings.IndexByte(name, '}')
	if opened != 1 || closed != 1 || to < from+2 {
		return fmt.Errorf(
			"stream_name: %q has braces that are not a hash tag: use one pair with text in it, as in %q, or none",
			name,
			"{tenant}:orders",
		)
	}
	return nil
}

// endsInNumber reports whether the name ends in a colon and digits.
func endsInNumber(name string) bool {
	head := strings.TrimRight(name, "0123456789")
	return len(head) < len(name) && strings.HasSuffix(head, ":")
}

// ValidatePartitions checks that n can be the number of partitions of a topic.
func ValidatePartitions(n int) error {
	if n < 1 || n > MaxPartitions {
		return fmt.Errorf("partitions is %d: set it to a number from 1 to %d", n, MaxPartitions)
	}
	return nil
}
