package config

import (
	"fmt"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJoinedRulesAllApply(t *testing.T) {
	lints := lint(t, "url: ''\nbuffer_bytes: 13")
	assert.Contains(t, lints, "url: is empty")
	assert.Contains(t, lints, "unlucky")
}

func TestRegisteredLintSeesDefaults(t *testing.T) {
	rule := RegisterLint("rafka_lint_test", func(f Fields) []string {
		if n := f.Object("o").Int("n"); f.Bool("on") {
			return []string{fmt.Sprintf("n is %d", n)}
		}
		return nil
	})
	spec := service.NewConfigSpec().Field(service.NewBoolField("on").Default(true)).
		Field(service.NewObjectField("o", service.NewIntField("n").Default(7))).LintRule(JoinLintRules(rule))
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterBatchInput("lint_test", spec, nil))
	lints, err := env.NewComponentConfigLinter().LintInputYAML([]byte("lint_test: {}"))
	require.NoError(t, err)
	require.Len(t, lints, 1)
	assert.Equal(t, "n is 7", lints[0].What)
}
