//go:build ledger

package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The sink rejects everything for a while, under steady input. No message is given up, although
// messages fail more often and for longer than a message may, and the log has the reason. When the
// sink works again, everything flows.
func TestLedgerSinkDown(t *testing.T) {
	outage := lengthOf(t, outageEnv, 6*time.Second)
	rate := numberOf(t, rateEnv, steadyPerSecond)
	inModes(t, func(t *testing.T, mode func(*consumer)) {
		breakSink(t, outage, rate, mode)
	}, "partition", "key", "share")
}

func breakSink(t *testing.T, outage time.Duration, rate int, mode func(*consumer)) {
	letters := "{stream_name: ledger-dead, max_deliveries: 2, backoff: 1s, min_age: 2s}"
	if outage >= time.Minute {
		letters = defaultLetters
	}
	s, _ := newScenario(t)
	k := s.openSink(t)
	reader := s.supervise(t, "reader", mode, givesUp(letters, longSession), k.into)
	s.generate(t, rate)
	s.awaitReads(t, time.Now(), rate)

	k.setDown(true)
	down := time.Now()
	reader.watchReady(t, "what processes them probably fails itself", outage)
	require.Contains(t, reader.wholeOutput(t), "The output seems to be down")
	require.Empty(t, s.letters(t))
	s.refresh(t)
	behind := s.entered(t)
	backlog := len(behind) - len(reader.records)
	k.setDown(false)
	up := time.Now()
	s.awaitLines(t, behind)
	caughtUp := time.Since(up)
	reader.awaitReady(t)

	a := s.drain(t)
	require.Empty(t, s.letters(t))
	if reader.kind() == consumerGroup {
		a.requireOrder(t)
	}
	require.Zero(t, reader.deaths())
	figure(t, "the sink was down for", "%s", up.Sub(down).Round(time.Millisecond))
	figure(t, "messages that waited", "%d", backlog)
	figure(t, "all of them were processed after", "%s: %.0f a second, under an input of %d",
		caughtUp.Round(time.Millisecond), float64(backlog)/caughtUp.Seconds(), rate)
}

// watchReady requests /ready for a while, and logs how often it had the reason. An input is not ready
// only while it hands out nothing, and it tries messages now and then.
func (m *member) watchReady(t testing.TB, reason string, lasts time.Duration) {
	t.Helper()
	began := time.Now()
	var all, had int
	await(t, lasts+waitLimit, "the time to pass", func() bool {
		all++
		if strings.Contains(unready(m.Metrics), reason) {
			had++
		}
		return time.Since(began) >= lasts
	})
	figure(t, "/ready had the reason", "in %d of %d answers", had, all)
}
