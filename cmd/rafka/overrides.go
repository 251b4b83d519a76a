package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"
)

// overrides holds the values of --set: alternating dot paths and values, as the engine expects
// them.
type overrides []any

// parseOverrides reads expressions of the form path=value, whose values are YAML.
func parseOverrides(expressions []string) (overrides, error) {
	var set overrides
	for _, expression := range expressions {
		path, text, ok := strings.Cut(expression, "=")
		if !ok || path == "" || text == "" {
			return nil, fmt.Errorf("--%s %q: write path=value, such as input.rafka.stream_name=orders", flagSet, path)
		}
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return nil, fmt.Errorf("--%s %s: the value is not valid YAML: put it in quotes", flagSet, path)
		}
		set = append(set, path, value)
	}
	return set, nil
}

// mayFix reports whether the overrides can fix a lint of the config as it was read. The config is
// linted again with the overrides. Lints about unknown fields must be reported the first time,
// since the engine drops these fields.
func (o overrides) mayFix(lint service.Lint) bool {
	if len(o) == 0 {
		return false
	}
	switch lint.Type {
	case service.LintCustom, service.LintMissing, service.LintInvalidOption,
		service.LintExpectedArray, service.LintExpectedObject, service.LintExpectedScalar:
		return true
	}
	return false
}

// ignoreNone ignores no lint.
func ignoreNone(service.Lint) bool { return false }

// loadTemplates registers templates from files, as `run -t` does.
func loadTemplates(env *service.Environment, patterns []string) error {
	paths, err := service.Globs(service.OSFS(), patterns...)
	if err != nil {
		return fmt.Errorf("finding templates: %w", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading template: %w", err)
		}
		if err := env.RegisterTemplateYAML(string(text)); err != nil {
			return fmt.Errorf("template file %s: %s", path, oneLine(err))
		}
	}
	return nil
}
