package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// module is the module that these tests break. Its simulation only checks whether 2 + 2 is 4, and
// only for even seeds.
var module = map[string]string{
	"go.mod":           "module example\n\ngo 1.24\n",
	"sum/sum.go":       "package sum\n\nfunc Of(a, b int) int {\n\tif b == 0 {\n\t\treturn a\n\t}\n\treturn a + b\n}\n",
	"sum/untracked.go": "package broken!\n",
	"internal/simulation/simulation_test.go": `package simulation

import (
	"example/sum"
	"flag"
	"fmt"
	"testing"
)

var n = flag.Int("sim.n", 1, "")
var first = flag.Uint64("sim.seed", 1, "")

func TestEverySchedule(t *testing.T) {
	for i := range *n {
		seed := *first + uint64(i)
		if got := sum.Of(2, 2); seed%2 == 0 && got != 4 {
			t.Fatalf("seed %d (schedule %d), {members:1}: the sum is %s", seed, i+1, fmt.Sprint(got, "\nand more"))
		}
	}
}
`,
	"internal/pipelines/pipelines_test.go": `package pipelines

import (
	"example/sum"
	"flag"
	"testing"
)

var n = flag.Int("pipelines.n", 1, "")
var first = flag.Uint64("pipelines.seed", 1, "")
var _ = flag.Duration("pipelines.shrink", 1, "")

func TestEveryPipeline(t *testing.T) {
	for i := range *n {
		if got := sum.Of(1, 0); got != 1 {
			t.Fatalf("seed %d (pipeline %d), {lost}: the sum is %d", *first+uint64(i), i+1, got)
		}
	}
}
`,
	patches + "/piped.patch": "It counts nothing.\nSuite: pipelines\n\n" +
		strings.Replace(diff("\treturn a + b"),
			" \t}\n-\treturn a + b\n+\treturn a + b\n", "-\t\treturn a\n+\t\treturn 0\n \t}\n \treturn a + b\n", 1),
	patches + "/found.patch":    "It subtracts.\nBreaks: sums.\n\n" + diff("\treturn a - b"),
	patches + "/panics.patch":   "It panics.\n\n" + diff("\tpanic(\"no sums today\")"),
	patches + "/harmless.patch": "It adds the other way round.\n\n" + diff("\treturn b + a"),
	patches + "/unbuilt.patch":  "It has a typo.\n\n" + diff("\treturn a + c"),
	patches + "/stale.patch": "It is about code of the past.\n\n" + strings.Replace(
		diff("\treturn a - b"),
		"a + b",
		"a * b",
		1,
	),
}

func diff(line string) string {
	return "--- a/sum/sum.go\n+++ b/sum/sum.go\n@@ -6,3 +6,3 @@\n \t}\n-\treturn a + b\n+" + line + "\n }\n"
}

// enter creates the files in a repository, where git tracks all except sum/untracked.go, and
// changes the working directory to it.
func enter(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	require.NoError(t, command(t.Context(), ".", "git", "init", "-q"))
	require.NoError(t, command(t.Context(), ".", "git", "add", "."))
	require.NoError(t, command(t.Context(), ".", "git", "rm", "-q", "--cached", "sum/untracked.go"))
}

func TestRunFailsUnlessEveryMutantIsFound(t *testing.T) {
	enter(t, module)
	var out strings.Builder
	r := runner{schedules: 3 * chunk, seed: 7, atOnce: 2, out: &out}
	err := r.main(t.Context(), "", "table.md")
	assert.EqualError(t, err, "3 of 6 mutants were not found: harmless, stale, unbuilt", out.String())
	for _, want := range []string{
		`simulation: no failure without a mutant`,
		`found  found +seed 8, 2 schedules, \d+ s: violation: the sum is 0\n`,
		`found  panics +seeds 7–46, 40 schedules, \d+ s: panic: no sums today\n`,
		`pipelines: no failure without a mutant`,
		`found  piped +seed 7, 1 schedules, \d+ s: violation: the sum is 0\n`,
		`MISSED harmless +\d+ s\n`,
		`FAIL   unbuilt +it does not compile: .*undefined: c`,
		`FAIL   stale +the patch does not apply: .*sum/sum.go`,
	} {
		assert.Regexp(t, `(?s)`+want, out.String())
	}
	table, err := os.ReadFile("table.md")
	require.NoError(t, err)
	assert.Regexp(
		t,
		`\| \[found\]\(found.patch\) \| It subtracts. Breaks: sums. \| violation \| seed 8 \| 2 \| \d+ \| the sum is 0`,
		string(table),
	)
	assert.Regexp(
		t,
		`\| \[harmless\]\(harmless.patch\) \| It adds the other way round. \| \*\*no\*\* \|`,
		string(table),
	)

	out.Reset()
	again := runner{schedules: chunk, seed: 1, out: &out}
	require.NoError(t, again.main(t.Context(), "panics, found", ""))
	assert.Contains(t, out.String(), "all 2 mutants were found\n")
	assert.ErrorContains(t, again.main(t.Context(), "unknown", ""), "unknown.patch")
	require.NoError(
		t,
		os.WriteFile(filepath.Join(patches, "lost.patch"), []byte("It is lost.\nSuite: nowhere\n\n"+diff("x")), 0o600),
	)
	assert.ErrorContains(t, again.main(t.Context(), "lost", ""), `names the suite "nowhere", which does not exist`)
}

func TestFailureWithoutMutantIsNotAFinding(t *testing.T) {
	files := maps.Clone(module)
	const simulated = "internal/simulation/simulation_test.go"
	files[simulated] = strings.ReplaceAll(module[simulated], "got != 4", "seed > 7")
	enter(t, files)
	r := runner{schedules: chunk, seed: 1, out: &strings.Builder{}}
	assert.EqualError(
		t,
		r.main(t.Context(), "found", ""),
		"simulation: violation at seed 8, without a mutant: the sum is 4",
	)

	// The few schedules at the start do not show this failure; the replay does.
	require.NoError(
		t,
		os.WriteFile(simulated, []byte(strings.ReplaceAll(module[simulated], "got != 4", "seed > 3*40")), 0o600),
	)
	var out strings.Builder
	longer := runner{schedules: 4 * chunk, seed: 1, out: &out}
	assert.Error(t, longer.main(t.Context(), "found", ""))
	assert.Contains(t, out.String(), "without the mutant too: the sum is 4")
}

func TestReadParsesFailures(t *testing.T) {
	for name, c := range map[string]struct {
		suite *suite
		out   string
		want  finding
	}{
		"violation": {
			simulation, "    x_test.go:1: seed 12 (schedule 3), {members:2 ttl:1s}: it {went} back\n    after 1s:\n",
			finding{how: "violation", what: "it {went} back", from: 12, count: 1},
		},
		"violation, then a panic": {
			simulation, "x: seed 2 (schedule 2), {}: gone\npanic: later\n",
			finding{how: "violation", what: "gone", from: 2, count: 1},
		},
		"violation of a pipeline": {
			pipelines, "    x_test.go:1: \n  \tseed 7 (pipeline 3), {lost}: committed\n\nlost: committed\n",
			finding{how: "violation", what: "committed", from: 7, count: 1},
		},
		"panic": {
			simulation, "--- FAIL: TestX\npanic: oh no [recovered, repanicked]\n\ngoroutine 1:\n",
			finding{how: "panic", what: "oh no"},
		},
		"panic of a worker": {
			simulation,
			"    x_test.go:1: seed 9: the process that played it ended: exit status 2\n        panic: oh no\n",
			finding{how: "panic", what: "oh no", from: 9, count: 1},
		},
		"fatal error": {
			simulation, "fatal error: all goroutines are asleep - deadlock!\n",
			finding{how: "deadlock", what: "all goroutines are asleep - deadlock!"},
		},
		"deadlock": {
			simulation, "panic: deadlock: all goroutines in bubble are blocked\n",
			finding{how: "deadlock", what: "deadlock: all goroutines in bubble are blocked"},
		},
		"hang": {
			simulation, "panic: test timed out after 3m0s\n",
			finding{how: "hang", what: "test timed out after 3m0s"},
		},
		"failure": {
			conformance, "--- FAIL: TestA (0s)\n    --- FAIL: TestA/claim (0s)\nFAIL\n",
			finding{how: "failure", what: "TestA/claim"},
		},
	} {
		got, err := c.suite.read(c.out)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, got, name)
	}
	_, err := simulation.read("--- FAIL: TestEverySchedule\n    no schedule was played\n")
	assert.ErrorContains(t, err, "no schedule was played")
}

func TestMissingTestIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("go.mod", []byte("module example\n\ngo 1.24\n"), 0o600))
	require.NoError(
		t,
		os.WriteFile("a_test.go", []byte("package a\n\nimport \"testing\"\n\nfunc TestA(*testing.T) {}\n"), 0o600),
	)
	require.NoError(t, exec.Command("go", "test", "-c", "-o", "a.test", ".").Run())
	_, err := program{suite: conformance, binary: "./a.test"}.search(t.Context(), 1, 1)
	assert.ErrorContains(t, err, "no test of internal/broker is named ")
}

func TestCellsAreEscapedAndShortened(t *testing.T) {
	assert.Equal(t, `a \| b c &lt;d>`, cell("a | b\nc <d>"))
	assert.Equal(t, strings.Repeat("ü", longest), shorten(strings.Repeat("ü", longest)))
	assert.Equal(t, strings.Repeat("ü", longest)+"…", shorten(strings.Repeat("ü", longest+1)))
}
