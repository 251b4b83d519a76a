package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// methodLintConnection is the Bloblang method behind the lint rule. Lint rules are Bloblang, which
// can't parse a URL's options; the method lets them call the check of the constructor.
const methodLintConnection = "rafka_lint_connection"

const lintMethodDescription = "Checks a part of a rafka configuration and returns what is wrong with it, for the linter."

func init() {
	RegisterLint(methodLintConnection, lintConnection)
}

// ConnectionLintRule is a Bloblang expression that yields what is wrong with the fields of
// [ConnectionFields]. It belongs into the lint rule of the component's spec:
// spec.LintRule(config.JoinLintRules(config.ConnectionLintRule(), ...)).
func ConnectionLintRule() string { return "this." + methodLintConnection + "()" }

// JoinLintRules makes one lint rule of several Bloblang expressions, each of which yields a text, a
// list of texts or nothing.
func JoinLintRules(expressions ...string) string {
	return "root = [\n  (" + strings.Join(expressions, "),\n  (") + "),\n]"
}

// RegisterLint makes a check of a component's fields available to lint rules, and returns the
// Bloblang expression that calls it, for [JoinLintRules]. The constructor is to call the same
// check. The method's name is in snake case and starts with rafka_lint_. It is called once a name,
// at start-up, before the spec is built, and panics if the name is taken.
func RegisterLint(method string, check func(Fields) []string) string {
	bloblang.MustRegisterMethodV2(method, lintMethodSpec(), func(*bloblang.ParsedParams) (bloblang.Method, error) {
		return bloblang.ObjectMethod(func(object map[string]any) (any, error) {
			return toList(check(object)), nil
		}), nil
	})
	return "this." + method + "()"
}

func lintMethodSpec() *bloblang.PluginSpec {
	// which keeps it out of lists: it is for the linter alone
	return bloblang.NewPluginSpec().Description(lintMethodDescription).Deprecated()
}

func toList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

func lintConnection(f Fields) []string {
	_, found := resolve(f)
	return found
}

// Problems is everything that is wrong with a configuration. Each names the field and the remedy.
type Problems []string

// Add notes a problem with a field.
func (p *Problems) Add(field, format string, args ...any) {
	*p = append(*p, field+": "+fmt.Sprintf(format, args...))
}

// AddShort notes that a duration is shorter than the least one. Zero is none: it was not read, or
// is refused elsewhere.
func (p *Problems) AddShort(field string, d, least time.Duration) {
	if d > 0 && d < least {
		p.Add(field, "is %s: set it to %s or more", d, least)
	}
}

// AddErr notes an error that names its field already; nil is none.
func (p *Problems) AddErr(err error) {
	if err != nil {
		*p = append(*p, err.Error())
	}
}

// Err is nil if there is no problem.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Error joins all of them in one line.
func (p Problems) Error() string { return strings.Join(p, "; ") }
