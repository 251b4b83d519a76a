package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pages returns the paths of all Markdown files, from the root of the repository.
func pages(t *testing.T) (all []string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS(repository), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case path.Ext(name) == ".md":
			all = append(all, name)
		}
		return nil
	}))
	require.Greater(t, len(all), 15)
	return all
}

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

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// links returns the targets of the links of a page that lead into the repository, from its root,
// each with its anchor.
func links(t *testing.T, page string) map[string]string {
	t.Helper()
	targets := map[string]string{}
	for _, match := range link.FindAllStringSubmatch(document(t, page), -1) {
		if strings.Contains(match[1], "://") {
			continue
		}
		target, anchor, _ := strings.Cut(match[1], "#")
		if target == "" {
			target = page
		} else {
			target = path.Join(path.Dir(page), target)
		}
		targets[target+"#"+anchor] = target
	}
	return targets
}

func TestLinksLeadSomewhere(t *testing.T) {
	mark := regexp.MustCompile("[^a-z0-9 _-]")
	for _, page := range pages(t) {
		for address, target := range links(t, page) {
			if !assert.FileExists(t, filepath.Join(repository, target), "%s links to it", page) {
				continue
			}
			_, anchor, _ := strings.Cut(address, "#")
			if anchor == "" || path.Ext(target) != ".md" {
				continue
			}
			var anchors []string
			for line := range strings.Lines(document(t, target)) {
				if heading := strings.TrimLeft(line, "#"); heading != line {
					heading = mark.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
					anchors = append(anchors, strings.ReplaceAll(heading, " ", "-"))
				}
			}
			assert.Contains(t, anchors, anchor, "%s links to %s", page, address)
		}
	}
}

func TestIndexNamesEveryPage(t *testing.T) {
	const index = "docs/README.md"
	linked := map[string]bool{index: true}
	for _, target := range links(t, index) {
		linked[target] = true
	}
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/") {
			assert.True(t, linked[page], "%s does not link to %s", index, page)
		}
	}
}

func TestREADMEIsShort(t *testing.T) {
	assert.LessOrEqual(t, strings.Count(document(t, "README.md"), "\n"), 150, "lines of README.md")
}
