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

// dataEnv names the file whose lines TestLedgerFile sends round. The first field of a line is its
// key.
const dataEnv = "LEDGER_DATA"

// The shape of the log that is made up if there is no file: that of a small web server's day.
const (
	madeUpLines   = 10_000
	madeUpClients = 1_753
	madeUpRepeats = 17 // lines that are equal to the one before
)

// accessLog returns the path of the log to send and its lines.
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

// madeUpLog is always the same. A few clients send most of it, as in life, and each sends
// something.
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
			`10.%d.%d.7 - - [17/May/2015:10:%02d:%02d +0000] "GET /page/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (Zürich)"`,
			client/250,
			client%250,
			i/60%60,
			i%60,
			random.IntN(500),
			random.IntN(100_000),
		)
	}
	for repeats := 0; repeats < madeUpRepeats; {
		// Where the same client sent two in a row, so that none loses its only line.
		if i := 1 + random.IntN(madeUpLines-1); order[i] == order[i-1] {
			text[i] = text[i-1]
			repeats++
		}
	}
	return text
}

// client is the key of a line.
func client(line string) string {
	first, _, _ := strings.Cut(line, " ")
	return first
}
