package docs

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docs/promises.md names tests for every promise of README.md, and these tests exist.
func TestEveryPromiseHasItsTests(t *testing.T) {
	var situations []string
	for _, row := range tableRows(t, document(t, "README.md"), "Situation | Promise |") {
		situations = append(situations, row[0])
	}
	known := map[string]bool{}
	for _, name := range declared(t, testFiles(t)...) {
		known[name] = true
	}
	var proven []string
	for _, row := range tableRows(t, document(t, "docs/promises.md"), "Situation | Tests |") {
		proven = append(proven, row[0])
		tests := code(row[1])
		assert.NotEmpty(t, tests, "%s: no test", row[0])
		for _, name := range tests {
			assert.True(t, strings.HasPrefix(name, "Test") && known[name], "%s: there is no test %s", row[0], name)
		}
	}
	assert.Equal(t, situations, proven, "the situations of both tables")
}

// testFiles are all files with tests, whatever their build tags.
func testFiles(t *testing.T) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(repository, func(file string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(file, "_test.go") {
			files = append(files, file)
		}
		return err
	}))
	return files
}
