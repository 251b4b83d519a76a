//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	// inARow is how many kills and outages follow each other.
	inARow = 5
	// slowLine is the number of a message that takes longer than all of that.
	slowLine = 2 * steadyPerSecond
)

// While a message is slow, its reader is killed from outside five times in a row. Then Redis is
// killed and restarted five times, each time for longer than a session. The message is not given up,
// and nothing is lost.
func TestLedgerKillsFromOutside(t *testing.T) {
	t.Parallel()
	outage := lengthOf(t, outageEnv, briefSession)
	inModes(t, func(t *testing.T, mode func(*consumer)) {
		killWhileAMessageIsSlow(t, outage, mode)
	}, "partition", "share")
}

func killWhileAMessageIsSlow(t *testing.T, outage time.Duration, mode func(*consumer)) {
	s, server := newScenario(t, "--appendonly", "yes", "--appendfsync", "no")
	k := s.openSink(t)
	k.setHeld(slowLine)
	reader := s.supervise(t, "reader", mode, givesUp(quickLetters, briefSession), k.into)
	s.generate(t, steadyPerSecond)
	began, arrivals := time.Now(), k.awaitHeld(t, slowLine, 0)
	for range inARow {
		reader.kill(t)
		reader.restartIfDead(t)
		arrivals = k.awaitHeld(t, slowLine, arrivals)
	}
	figure(t, "killed and restarted with the message in flight", "%d times in %s", inARow, sinceMillis(began))
	for range inARow {
		awayFor(t, server, reader, outage)
		_, waiting := k.seen(slowLine)
		require.Positive(t, waiting, "the message is in flight")
	}
	arrivals, _ = k.seen(slowLine)
	figure(t, "the message arrived at the sink", "%d times", arrivals)
	figure(t, "it was in the pipeline for", "%s", sinceMillis(began))
	require.Empty(t, s.letters(t))

	k.release(slowLine)
	a := s.drain(t)
	require.Contains(t, a.first, int64(slowLine))
	require.Empty(t, s.letters(t))
	require.Equal(t, inARow, reader.deaths())
}

// awayFor kills Redis for a while, and waits until the reader reports that and until it works again.
func awayFor(t testing.TB, server *redistest.Server, reader *supervised, outage time.Duration) {
	t.Helper()
	server.Kill(t)
	killed := time.Now()
	reader.awaitReason(t, "cannot be reached")
	<-time.After(time.Until(killed.Add(max(outage, reader.Session))))
	server.Restart(t)
	reader.awaitReady(t)
}

// sinceMillis returns the time since a moment, for a figure.
func sinceMillis(moment time.Time) time.Duration { return time.Since(moment).Round(time.Millisecond) }
