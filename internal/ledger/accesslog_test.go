//go:build ledger

package ledger

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dataEnv names the file whose lines TestLedgerFile sends. The first field of a line is its key.
const dataEnv = "LEDGER_DATA"

// The size of the generated log, similar to one day of a small web server.
const (
	madeUpLines   = 10_000
	madeUpClients = 1_753
	madeUpRepeats = 17 // lines that are equal to the line before
)

// accessLog returns the path and the lines of the log to send.
func accessLog(t testing.TB) (path string, text []string) {
	t.Helper()
	path = os.Getenv(dataEnv)
	if path == "" {
		path = filepath.Join(t.TempDir(), "access.log")
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(madeUpLog(), "\n")+"\n"), 0o600))
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return path, strings.Split(string(bytes.TrimSuffix(content, []byte("\n"))), "\n")
}

// madeUpLog returns a generated log, always the same. As in practice, a few clients send most of
// the lines; every client sends at least one.
func madeUpLog() []string {
	random := rand.New(rand.NewPCG(17, 5))
	popularity := rand.NewZipf(random, 1.2, 8, madeUpClients-1)
	order := make([]int, madeUpLines)
	for i := range order {
		if order[i] = i; i >= madeUpClients {
			order[i] = int(popularity.Uint64())
		}
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	text := make([]string, madeUpLines)
	for i, client := range order {
		text[i] = fmt.Sprintf(
			`10.%d.%d.7 - - [17/May/2015:10:%02d:%02d +0000] `+
				`"GET /page/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (Zürich)"`,
			client/250,
			client%250,
			i/60%60,
			i%60,
			random.IntN(500),
			random.IntN(100_000),
		)
	}
	for repeats := 0; repeats < madeUpRepeats; {
		// Only where the same client sent two lines in a row, so that no client loses its only
		// line.
		if i := 1 + random.IntN(madeUpLines-1); order[i] == order[i-1] {
			text[i] = text[i-1]
			repeats++
		}
	}
	return text
}

// client returns the key of a line.
func client(line string) string {
	first, _, _ := strings.Cut(line, " ")
	return first
}
