package input

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The last column of each table row in docs/explanation/data-loss.md names a test: a test function,
// or a case of TestCausesOfLoss whose log line contains what the row quotes.
func TestEveryRowOfTheLossTableHasATest(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(text)
	}
	cases := map[string]cause{}
	for _, c := range causesOfLoss {
		cases[c.name] = c
	}
	functions := read("losses_test.go") + read("losses_flush_test.go") + read("../output/observer_lost_test.go")
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(read("../docs/explanation/data-loss.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		test := quoted.FindStringSubmatch(cells[len(cells)-1])
		if !strings.HasPrefix(line, "|") || test == nil {
			continue
		}
		rows++
		c, known := cases[test[1]]
		delete(cases, test[1])
		if !known {
			assert.Contains(t, functions, "func "+test[1]+"(", "the test of: %s", line)
			continue
		}
		if text := quoted.FindStringSubmatch(cells[1]); text != nil {
			assert.Contains(t, text[1], c.line, line)
		}
		assert.Equal(t, c.recreated == 0, strings.TrimSpace(cells[2]) == "exact", line)
		assert.Equal(t, c.recreated > 0, strings.TrimSpace(cells[3]) == "1", line)
	}
	assert.Empty(t, cases, "causes without a row")
	assert.Greater(t, rows, len(causesOfLoss))
}
