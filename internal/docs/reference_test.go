package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// specs returns the specs of both components, as documentation is made of them.
func specs(t *testing.T) (input, output service.TemplateDataPlugin) {
	t.Helper()
	take := func(spec *service.TemplateDataPlugin) func(string, *service.ConfigView) {
		return func(name string, view *service.ConfigView) {
			if name != "rafka" {
				return
			}
			var err error
			*spec, err = view.TemplateData()
			require.NoError(t, err)
		}
	}
	service.GlobalEnvironment().WalkInputs(take(&input))
	service.GlobalEnvironment().WalkOutputs(take(&output))
	require.NotEmpty(t, input.Fields)
	require.NotEmpty(t, output.Fields)
	return input, output
}

const fieldsPage, metricsPage = "docs/reference/fields.md", "docs/reference/metrics.md"

// documented returns the fields that a table of the page names, with the defaults that it gives.
func documented(t *testing.T, header string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for _, row := range tableRows(t, document(t, fieldsPage), header) {
		defaults := strings.Split(strings.TrimSpace(strings.ReplaceAll(row[1], "`", "")), ", ")
		parent := ""
		for i, name := range code(row[0]) {
			if strings.HasPrefix(name, ".") {
				name = parent + name
			}
			parent, _, _ = strings.Cut(name, ".")
			fields[name] = ""
			if i < len(defaults) {
				fields[name] = defaults[i]
			}
		}
	}
	return fields
}

func TestDocumentedFieldsExist(t *testing.T) {
	connection := section(t, document(t, fieldsPage), "Connection")
	shared := map[string]string{}
	for _, name := range code(regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(connection, "")) {
		shared[name] = ""
	}
	input, output := specs(t)
	for header, spec := range map[string]service.TemplateDataPlugin{"Input |": input, "Output |": output} {
		named := documented(t, header)
		maps.Copy(named, shared)
		known := map[string]service.TemplateDataPluginField{}
		for _, field := range spec.Fields {
			known[field.FullName] = field
		}
		for name, value := range named {
			field, exists := known[name]
			// an object that the spec describes in words
			if parent, child, nested := strings.Cut(name, "."); !exists && nested {
				exists = strings.Contains(known[parent].Description, "`"+child+"`")
			}
			assert.True(t, exists, "the page names %s, which the %s does not have", name, spec.Type)
			if fixed := strings.Trim(field.DefaultMarshalled, `"`); fixed != "" && value != "" {
				assert.Equal(t, fixed, value, "the default of %s of the %s", name, spec.Type)
			}
		}
		for name := range known {
			assert.True(
				t,
				isNamed(name, named),
				"the %s has the field %s, which the page does not name",
				spec.Type,
				name,
			)
		}
	}
}

// isNamed reports whether the page names the field, a field inside it, or the Benthos object that it
// belongs to.
func isNamed(field string, named map[string]string) bool {
	parent, _, nested := strings.Cut(field, ".")
	if nested && slices.Contains([]string{"tls", "pool", "backoff", "batching"}, parent) {
		field = parent
	}
	for name := range named {
		if name == field || strings.HasPrefix(name, field+".") {
			return true
		}
	}
	return false
}

// registeredMetrics are the metrics that the input and the output register, by their source.
func registeredMetrics(t *testing.T) map[string]bool {
	t.Helper()
	registered := map[string]bool{}
	registration := regexp.MustCompile(`(?:[gG]auge|[cC]ounter|[tT]imer)\("(rafka_\w+)"`)
	for _, folder := range []string{"input", "output"} {
		files, err := filepath.Glob(filepath.Join(repository, folder, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range registration.FindAllStringSubmatch(string(text), -1) {
				registered[match[1]] = true
			}
		}
	}
	return registered
}

func TestDocumentedMetricsExist(t *testing.T) {
	registered := registeredMetrics(t)
	named := map[string]bool{}
	for _, row := range tableRows(t, document(t, metricsPage), "Metric |") {
		for _, name := range code(row[0]) {
			named[name] = true
		}
	}
	assert.Equal(t, registered, named, "metrics that are registered, and those that the page names")
	helped := map[string]bool{}
	help := regexp.MustCompile(`"(rafka_\w+)":`)
	for _, match := range help.FindAllStringSubmatch(document(t, "cmd/rafka/help.go"), -1) {
		helped[match[1]] = true
	}
	assert.Equal(t, registered, helped, "metrics that are registered, and those that have a HELP text")
	input, output := specs(t)
	for name := range registered {
		assert.Contains(t, input.Description+output.Description, "`"+name+"`", "the documentation of the components")
	}
}

func TestDocumentationOfTheComponentsReadsWell(t *testing.T) {
	input, output := specs(t)
	for _, spec := range []service.TemplateDataPlugin{input, output} {
		texts := map[string]string{"the summary": spec.Summary, "the description": spec.Description}
		for _, field := range spec.Fields {
			// which are Benthos' own
			if !strings.HasPrefix(field.FullName, "tls.") && !strings.HasPrefix(field.FullName, "batching.") {
				texts[field.FullName] = field.Description
			}
		}
		for where, text := range texts {
			assert.NotEmpty(t, strings.TrimSpace(text), where)
			assert.NotRegexp(t, `\\[ntr"x]|~|%!|" \+|\+ "|xref:|  \S`, text, where)
			assert.Zero(t, strings.Count(text, "`")%2, "%s has a backquote without its other: %s", where, text)
		}
		assert.NotEmpty(t, spec.Examples)
		for _, example := range spec.Examples {
			assert.Empty(t, lint(t, example.Config), example.Title)
		}
	}
}
