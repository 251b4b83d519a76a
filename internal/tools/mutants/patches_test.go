package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// `make mutants` is too slow for every change, so this test finds patches that no longer apply
// after the code has moved.
func TestEveryPatchApplies(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", ".."))
	all, err := load(patches, "")
	require.NoError(t, err)
	for _, m := range all {
		text, err := os.ReadFile(m.patch)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if file, isFile := strings.CutPrefix(line, "--- a/"); isFile {
				// Git opens the file outside the test process. Reading it here makes a cached test
				// result depend on it.
				_, err := os.ReadFile(strings.TrimSpace(file))
				assert.NoError(t, err, m.name)
			}
		}
		assert.NoError(t, command(t.Context(), ".", "git", "apply", "--check", m.patch), m.name)
	}
}
