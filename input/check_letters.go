package input

import (
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/keys"
)

// The defaults of the fields of dead_letter.
const (
	defaultMaxDeliveries = 5
	defaultLetterBackoff = "5s"
	defaultMinAge        = "10m"
)

// inLetter returns the full name of a field of dead_letter.
func inLetter(field string) string { return fieldDeadLetter + "." + field }

// checkDeadLetter checks the fields of dead_letter.
func checkDeadLetter(f config.Fields, p *config.Problems) {
	letters := f.Object(fieldDeadLetter)
	expressions, err := listOf(letters)
	p.AddErr(err)
	checkLetterLimits(letters, p)
	topic, _ := letters.Text(fieldLetterTopic)
	if topic == "" {
		if len(expressions) > 0 || isChanged(letters) {
			p.Add(inLetter(fieldLetterTopic), "is missing or empty: set it to the topic of the dead letters")
		}
		return
	}
	if err := keys.ValidateTopic(topic, false); err != nil {
		p.AddErr(fmt.Errorf("%s.%w", fieldDeadLetter, err)) // the error begins with stream_name
	}
	if source, _ := f.Text(fieldStreamName); overlap(source, topic) {
		p.Add(inLetter(fieldLetterTopic), "%q has the entries of %s, which the input reads, so dead letters would be "+
			"read again: use another topic", topic, source)
	}
	if !f.Bool(fieldReplayNacks) {
		p.Add(fieldDeadLetter, "has no effect if %s is false, since rejected messages are skipped then: remove it, or "+
			"set %[1]s to true", fieldReplayNacks)
	}
}

// isChanged reports whether a field of dead_letter, other than the lists and the topic, has another
// value than its default.
func isChanged(letters config.Fields) bool {
	for field, value := range map[string]string{
		fieldMaxDeliveries: fmt.Sprint(defaultMaxDeliveries),
		fieldLetterBackoff: defaultLetterBackoff,
		fieldMinAge:        defaultMinAge,
	} {
		if text, set := letters.Text(field); set && text != value {
			return true
		}
	}
	return false
}

// overlap reports whether two topics can have a stream in common.
func overlap(a, b string) bool {
	ofA, _, isA := keys.ParsePartition(a)
	ofB, _, isB := keys.ParsePartition(b)
	return a == b || isA && ofA == b || isB && ofB == a
}

func checkLetterLimits(letters config.Fields, p *config.Problems) {
	if _, ok := letters.Whole(fieldMaxDeliveries, 1, math.MaxInt32); !ok {
		p.Add(inLetter(fieldMaxDeliveries), "is %s: set it to a whole number from 1 upwards",
			letters.Shown(fieldMaxDeliveries))
	}
	period := func(field string) time.Duration {
		text, set := letters.Text(field)
		if !set {
			return 0
		}
		d, err := config.ParsePositiveDuration(inLetter(field), text)
		p.AddErr(err)
		return d
	}
	p.AddShort(inLetter(fieldLetterBackoff), period(fieldLetterBackoff), shortestLetterBackoff)
	period(fieldMinAge)
}

// shortestLetterBackoff is the shortest wait before a message that failed alone is delivered again.
const shortestLetterBackoff = 10 * time.Millisecond

// listOf returns the regular expressions of dead_letter.
func listOf(letters config.Fields) ([]*regexp.Regexp, error) {
	list, _ := letters[fieldMatch].([]any)
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = fmt.Sprint(item)
	}
	return compileAll(texts)
}

// compileAll compiles the regular expressions of dead_letter.
func compileAll(texts []string) (all []*regexp.Regexp, err error) {
	for _, text := range texts {
		if text == "" {
			return nil, fmt.Errorf("%s: an empty text matches every error, so that each message would be given up at "+
				"its first failure: remove it", inLetter(fieldMatch))
		}
		expression, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: correct the regular expression, whose syntax is RE2",
				inLetter(fieldMatch), err)
		}
		all = append(all, expression)
	}
	return all, nil
}
