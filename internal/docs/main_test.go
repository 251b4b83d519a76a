package docs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure/extended"

	_ "github.com/rafka-streams/rafka/input"
	_ "github.com/rafka-streams/rafka/output"

	"github.com/rafka-streams/rafka/internal/proctest"
)

const (
	repository = "../.."
	binaryName = "rafka"
)

// binary is the path of cmd/rafka, which TestMain builds.
var binary string

// TestMain builds the binary that the documents are about, with the race detector if the tests have
// it.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "docs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a directory for the binary:", err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, binaryName)
	race := fmt.Sprintf("-race=%t", raceEnabled())
	if out, err := exec.Command("go", "build", race, "-o", binary, "../../cmd/rafka").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building cmd/rafka: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

type outcome struct {
	code           int
	stdout, stderr string
}

// rafka runs a command line in the current directory, with the variables of this process.
func rafka(t *testing.T, args ...string) outcome {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, args...)
	command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		exit := (*exec.ExitError)(nil)
		require.ErrorAs(t, err, &exit)
	}
	return outcome{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// start starts a command line in a process of its own.
func start(t *testing.T, environment []string, args ...string) *proctest.Process {
	t.Helper()
	return proctest.Start(t, binary, environment, args...)
}

// writeFile writes a file that exists as long as the test and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// lint returns what the linter finds in a config of a stream.
func lint(t *testing.T, config string) (found []string) {
	t.Helper()
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	lints, err := linter.LintYAML([]byte(config))
	require.NoError(t, err)
	for _, l := range lints {
		found = append(found, l.Error())
	}
	return found
}

// document returns the text of a file of the repository.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, filepath.FromSlash(name)))
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
