//go:build ledger

package ledger

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binary is the path of the program under test.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ledger-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a directory for the binary:", err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "rafka")
	// Always without the race detector: these tests measure.
	out, err := exec.Command("go", "build", "-race=false", "-o", binary, "../../cmd/rafka").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "building cmd/rafka: %v\n%s", err, out)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
