package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// section returns the part of a document below the heading, up to the next heading of its level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, after, found := strings.Cut("\n"+text, "\n## "+heading+"\n")
	require.True(t, found, "there is no section %q", heading)
	body, _, _ := strings.Cut(after, "\n## ")
	return body
}

// blocks returns the fenced blocks of a language.
func blocks(text, language string) (all []string) {
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

var quoted = regexp.MustCompile("`([^`\n]+)`")

// code returns what stands in backquotes.
func code(text string) (all []string) {
	for _, match := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

func TestConfigsOfTheREADMELintAndConnect(t *testing.T) {
	readme, err := filepath.Abs(filepath.Join(repository, "README.md"))
	require.NoError(t, err)
	start(t, nil, "lint", readme).Succeeds(t)

	configs := blocks(document(t, "README.md"), "yaml")
	require.GreaterOrEqual(t, len(configs), 3)
	server := redistest.Start(t)
	for _, config := range configs {
		here := strings.ReplaceAll(config, "redis://localhost:6379", server.URL())
		require.NotEqual(t, config, here, "a config of the README that names no server")
		o := rafka(t, "check", writeFile(t, "readme.yaml", here))
		assert.Zero(t, o.code, "%s\n%s", o.stdout, o.stderr)
	}
}

// TestCommandsOfTheREADMERun runs the commands of its blocks on a server, in the order in which they stand there.
func TestCommandsOfTheREADMERun(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("RAFKA_URL", server.URL())
	group := broker.NewGroup(server.Client(t), "orders", "billing")
	readme := document(t, "README.md")
	config := strings.ReplaceAll(blocks(readme, "yaml")[0], "redis://localhost:6379", server.URL())
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("my-config.yaml", []byte(config), 0o600))

	ran := map[string]bool{}
	for line := range strings.Lines(strings.Join(blocks(readme, "sh"), "")) {
		command, _, _ := strings.Cut(line, "#")
		args := strings.Fields(command)
		if len(args) < 2 || args[0] != binaryName {
			continue
		}
		if strings.HasPrefix(command, "rafka group describe") {
			_, err := group.Beat(t.Context(), splits.Beat{Member: "rafka/host/1", TTL: time.Hour})
			require.NoError(t, err)
		}
		if strings.HasPrefix(command, "rafka group delete") {
			require.NoError(t, group.Leave(t.Context(), "rafka/host/1"))
		}
		o := rafka(t, args[1:]...)
		assert.Zero(t, o.code, "%s: %s%s", command, o.stdout, o.stderr)
		assert.Empty(t, o.stderr, command)
		ran[strings.Join(args[1:min(3, len(args))], " ")] = true
	}
	for _, want := range []string{
		"topic create", "topic grow", "topic list", "topic describe", "topic delete",
		"group list", "group describe", "group seek", "group delete",
		"check my-config.yaml",
	} {
		assert.True(t, ran[want], "README shows rafka %s", want)
	}
}

func TestCommandsNamedInDocumentsExist(t *testing.T) {
	makefile := document(t, "Makefile")
	help := rafka(t, "topic", "list", "--help").stdout
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "DESIGN.md", "docs/permissions.md"} {
		text := document(t, name)
		for _, span := range slices.Concat(code(text), strings.Split(strings.Join(blocks(text, "sh"), ""), "\n")) {
			words := strings.Fields(span)
			switch {
			case len(words) > 1 && words[0] == "make":
				assert.Contains(t, makefile, "\n"+words[1]+": ", "%s: %s", name, span)
			case len(words) > 1 && words[0] == binaryName:
				commandExists(t, words[1:])
			case regexp.MustCompile(`^RAFKA_[A-Z_]+$`).MatchString(span):
				assert.Contains(t, help, "[$"+span+"]", "%s: no command takes %s", name, span)
			case len(words) > 2 && strings.HasPrefix(span, "go run ./cmd/rafka run "):
				assert.FileExists(t, filepath.Join(repository, words[4]), name)
			}
		}
	}
}

// commandExists expects that the help of the command which the words begin with is that of this very command.
func commandExists(t *testing.T, words []string) {
	t.Helper()
	path := words[:1]
	if slices.Contains([]string{"topic", "group", "acl"}, words[0]) {
		path = words[:min(2, len(words))]
	}
	p := start(t, nil, append(slices.Clone(path), "--help")...)
	p.Succeeds(t)
	assert.Contains(t, p.Stdout.String(), "rafka "+strings.Join(path, " ")+" - ", "rafka %q", words)
	if words[0] == "create" {
		start(t, nil, words...).Succeeds(t)
	}
}

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

// tableRows returns the cells of the rows of the table whose header begins so.
func tableRows(t *testing.T, text, header string) (rows [][]string) {
	t.Helper()
	_, table, found := strings.Cut(text, "\n| "+header)
	require.True(t, found, "there is no table that begins with %q", header)
	table, _, _ = strings.Cut(table, "\n\n")
	for _, line := range strings.Split(table, "\n")[2:] {
		if line = strings.TrimSpace(line); line != "" {
			rows = append(rows, strings.Split(strings.Trim(line, "|"), "|"))
		}
	}
	require.NotEmpty(t, rows)
	return rows
}

// documented returns the fields that a table of the README names, with the defaults that it gives for them.
func documented(t *testing.T, header string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for _, row := range tableRows(t, section(t, document(t, "README.md"), "Fields"), header) {
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

func TestFieldsOfTheREADMEAreThoseOfTheComponents(t *testing.T) {
	_, connection, found := strings.Cut(section(t, document(t, "README.md"), "Fields"), "Connection, of both:")
	require.True(t, found)
	connection, _, _ = strings.Cut(connection, "\n\n")
	shared := map[string]string{}
	for _, name := range code(regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(connection, "")) {
		shared[name] = ""
	}
	input, output := specs(t)
	for header, spec := range map[string]service.TemplateDataPlugin{"input |": input, "output |": output} {
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
			assert.True(t, exists, "README names %s, which the %s does not have", name, spec.Type)
			if fixed := strings.Trim(field.DefaultMarshalled, `"`); fixed != "" && value != "" {
				assert.Equal(t, fixed, value, "the default of %s of the %s", name, spec.Type)
			}
		}
		for name := range known {
			assert.True(t, isNamed(name, named), "the %s has the field %s, which README does not name", spec.Type, name)
		}
	}
}

// isNamed reports whether the field, one of the fields in it, or an object of Benthos that it
// belongs to is named.
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

func TestMetricsOfTheREADMEAreRegistered(t *testing.T) {
	registered := registeredMetrics(t)
	named := map[string]bool{}
	for _, row := range tableRows(t, document(t, "README.md"), "metric |") {
		for _, name := range code(row[0]) {
			named[name] = true
		}
	}
	assert.Equal(t, registered, named, "metrics that are registered, and those that README names")
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
