package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Code that moves leaves patches behind. `make mutants` is too slow for every change, so this finds
// a patch that no longer applies.
func TestEveryPatchApplies(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", ".."))
	all, err := load(patches, "")
	require.NoError(t, err)
	for _, m := range all {
		text, err := os.ReadFile(m.patch)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if file, isFile := strings.CutPrefix(line, "--- a/"); isFile {
				// Opened here so that a cached test result depends on the file: git opens it unseen.
				_, err := os.ReadFile(strings.TrimSpace(file))
				assert.NoError(t, err, m.name)
			}
		}
		assert.NoError(t, command(t.Context(), ".", "git", "apply", "--check", m.patch), m.name)
	}
}
