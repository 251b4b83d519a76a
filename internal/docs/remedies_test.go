package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// messages returns all texts of more than one word in the source of the product, and where each is.
// A text that is put together from several literals is returned in one piece.
func messages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range productFiles(t) {
		positions := token.NewFileSet()
		parsed, err := parser.ParseFile(positions, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			expression, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, whole := literal(expression)
			if strings.Contains(text, " ") && !strings.ContainsAny(text, "\n$") { // documentation has examples
				found[text] = positions.Position(expression.Pos()).String()
			}
			return !whole
		})
	}
	require.NotEmpty(t, found)
	return found
}

// productFiles returns the Go files that are compiled into the binary.
func productFiles(t *testing.T) []string {
	t.Helper()
	const own = `{{if and .Module (eq .Module.Path "github.com/rafka-streams/rafka")}}` +
		`{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}`
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", own, "./cmd/rafka")
	command.Dir = repository
	out, err := command.Output()
	require.NoError(t, err)
	files := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	require.NotEmpty(t, files)
	return files
}

// literal returns the text of an expression of literals and pluses; something else in it is left
// out.
func literal(e ast.Expr) (text string, whole bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ = strconv.Unquote(e.Value)
			return text, true
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			left, leftWhole := literal(e.X)
			right, rightWhole := literal(e.Y)
			return left + right, leftWhole || rightWhole
		}
	}
	return "", false
}

// otherNames are words that look like fields of a component and are something else that exists.
var otherNames = []string{
	"histogram_buckets",           // of the exporter
	"partition_id",                // of the JSON of a split
	"pool_size", "min_idle_conns", // options of a URL
	"round_robin",             // a partitioner
	"group_by", "http_client", // a processor and an output
	"parse_url",                                                    // a Bloblang method
	"fan_out", "fan_out_fail_fast", "fan_out_sequential_fail_fast", // patterns of a broker
}

// A remedy that does not work is worse than none: the operator tries it while the pipeline stands
// still.
func TestRemediesNameWhatExists(t *testing.T) {
	known := registeredMetrics(t)
	input, output := specs(t)
	for _, spec := range []service.TemplateDataPlugin{input, output} {
		for _, field := range spec.Fields {
			for part := range strings.SplitSeq(field.FullName, ".") {
				known[part] = true
			}
		}
	}
	component := func(name string, _ *service.ConfigView) { known[name] = true }
	service.GlobalEnvironment().WalkInputs(component)
	service.GlobalEnvironment().WalkOutputs(component)
	service.GlobalEnvironment().WalkProcessors(component)
	named := map[string]bool{}
	field := regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)
	command := regexp.MustCompile(`\brafka ((?:topic|group|acl) [a-z]+|check|lint|run|streams|echo|list|create)\b`)
	commands := map[string]bool{}
	for text, place := range messages(t) {
		for _, name := range field.FindAllString(text, -1) {
			named[name] = true
			assert.True(
				t,
				known[name] || slices.Contains(otherNames, name),
				"%s names %s, which is no field: %q",
				place,
				name,
				text,
			)
		}
		for _, match := range command.FindAllStringSubmatch(text, -1) {
			commands[match[1]] = true
		}
	}
	for _, name := range otherNames {
		assert.True(t, named[name], "no message names %s", name)
	}
	assert.True(t, commands["group seek"])
	for _, words := range slices.Sorted(maps.Keys(commands)) {
		commandExists(t, strings.Fields(words))
	}
}

// TestRemediesSetWhatLintTakes tries each "field: value" and each "set field to value" that a
// message asks for.
func TestRemediesSetWhatLintTakes(t *testing.T) {
	assert.NotEmpty(t, refusedSettings(t, "start_offset: nonsense adopts it"))
	assert.NotEmpty(t, refusedSettings(t, "set on_data_loss to nonsense"))
	assert.Empty(t, refusedSettings(t, "set start_offset to latest, on_data_loss: continue"))
	for text, place := range messages(t) {
		assert.Empty(t, refusedSettings(t, text), "%s: %q", place, text)
	}
}

// settings matches a field, by the underscore in its name, and the value that it is to have.
var settings = regexp.MustCompile(`\b([a-z]+_[a-z_]+)(?:: | to )([a-z0-9_]+)\b`)

// refusedSettings are the lints of the settings that a text asks for.
func refusedSettings(t *testing.T, text string) (lints []string) {
	t.Helper()
	if !settings.MatchString(text) {
		return nil
	}
	input, output := specs(t)
	for _, match := range settings.FindAllStringSubmatch(text, -1) {
		for _, spec := range []service.TemplateDataPlugin{input, output} {
			named := func(f service.TemplateDataPluginField) bool { return f.FullName == match[1] }
			if !slices.ContainsFunc(spec.Fields, named) {
				continue
			}
			config := spec.Type + ": { rafka: { url: redis://localhost, stream_name: s, " + match[1] + ": " + match[2]
			if spec.Type == "input" {
				config += ", consumer_group: g"
			}
			lints = append(lints, lint(t, config+" } }\n")...)
		}
	}
	return lints
}
