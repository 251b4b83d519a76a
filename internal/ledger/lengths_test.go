//go:build ledger

package ledger

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Environment variables that make tests longer. `make ledger` sets them from its variables, such as
// FLOW. If one is empty, the test is short.
const (
	rateEnv     = "LEDGER_RATE"     // messages a second
	flowEnv     = "LEDGER_FLOW"     // how long messages flow undisturbed, in all: TestLedgerShare
	workEnv     = "LEDGER_WORK"     // how long a member works on its first message: TestLedgerShare
	messagesEnv = "LEDGER_MESSAGES" // how many messages one is among that kills its reader: TestLedgerPoison
	outageEnv   = "LEDGER_OUTAGE"   // how long something is down: TestLedgerSinkDown and others
	hangEnv     = "LEDGER_HANG"     // how long a batch hangs: TestLedgerHang
)

// lengthOf returns the duration in an environment variable, or a short one.
func lengthOf(t testing.TB, env string, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return short
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, env)
	return d
}

// numberOf returns the number in an environment variable, or a small one.
func numberOf(t testing.TB, env string, small int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return small
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, env)
	return n
}
