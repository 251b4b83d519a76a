package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCommandsOfWorkflowsExist(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repository, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	makefile := document(t, "Makefile")
	target, script := regexp.MustCompile(`\bmake ([a-z]+)`), regexp.MustCompile(`(?:scripts|\.ci)/[a-z-]+`)
	for _, file := range files {
		workflow := document(t, strings.TrimPrefix(filepath.ToSlash(file), repository+"/"))
		for _, match := range target.FindAllStringSubmatch(workflow, -1) {
			assert.Contains(t, makefile, "\n"+match[1]+":", file)
		}
		for _, name := range script.FindAllString(workflow, -1) {
			assert.FileExists(t, filepath.Join(repository, name), file)
		}
	}
}

func TestChangelogHasLinksForItsVersions(t *testing.T) {
	changelog := document(t, "CHANGELOG.md")
	versions := regexp.MustCompile(`(?m)^## \[([^]]+)\]( - \d{4}-\d\d-\d\d)?$`).FindAllStringSubmatch(changelog, -1)
	require.NotEmpty(t, versions)
	for _, version := range versions {
		assert.Equal(t, version[1] == "Unreleased", version[2] == "", "%s has a date if it is released", version[1])
		assert.Contains(t, changelog, "\n["+version[1]+"]: https://", "the link of %s", version[1])
	}
}
