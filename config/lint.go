package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// methodLintConnection is the Bloblang method that the lint rule calls. Lint rules are written in
// Bloblang, which can't parse the options of a URL, so the method runs the check of the
// constructor.
const methodLintConnection = "rafka_lint_connection"

const lintMethodDescription = "Checks a part of a rafka configuration for the linter and returns the problems."

func init() {
	RegisterLint(methodLintConnection, lintConnection)
}

// ConnectionLintRule returns a Bloblang expression that lists what is wrong with the fields of
// [ConnectionFields]. It belongs in the lint rule of the component's spec:
// spec.LintRule(config.JoinLintRules(config.ConnectionLintRule(), ...)).
func ConnectionLintRule() string { return "this." + methodLintConnection + "()" }

// JoinLintRules returns one lint rule for several Bloblang expressions, each of which returns a
// string, a list of strings or nothing.
func JoinLintRules(expressions ...string) string {
	return "root = [\n  (" + strings.Join(expressions, "),\n  (") + "),\n]"
}

// RegisterLint makes a check of a component's fields available to lint rules, and returns the
// Bloblang expression that calls the check, for [JoinLintRules]. The constructor must call the same
// check. The name of the method is in snake case and starts with rafka_lint_. RegisterLint must be
// called at start-up, before the spec is built, and panics if the name is taken.
func RegisterLint(method string, check func(Fields) []string) string {
	bloblang.MustRegisterMethodV2(method, lintMethodSpec(), func(*bloblang.ParsedParams) (bloblang.Method, error) {
		return bloblang.ObjectMethod(func(object map[string]any) (any, error) {
			return toList(check(object)), nil
		}), nil
	})
	return "this." + method + "()"
}

func lintMethodSpec() *bloblang.PluginSpec {
	// Lists omit deprecated methods; this method is for the linter only.
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

// Problems lists what is wrong with a configuration. Each problem names the field and the remedy.
type Problems []string

// Add adds a problem with a field.
func (p *Problems) Add(field, format string, args ...any) {
	*p = append(*p, field+": "+fmt.Sprintf(format, args...))
}

// AddShort adds a problem if a duration is shorter than the least one. Zero means no duration: it
// was not set, or another check rejects it.
func (p *Problems) AddShort(field string, d, least time.Duration) {
	if d > 0 && d < least {
		p.Add(field, "is %s: set it to %s or more", d, least)
	}
}

// AddErr adds an error that already names its field. It ignores nil.
func (p *Problems) AddErr(err error) {
	if err != nil {
		*p = append(*p, err.Error())
	}
}

// Err returns the problems as an error, or nil if there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Error returns all problems in one line.
func (p Problems) Error() string { return strings.Join(p, "; ") }
