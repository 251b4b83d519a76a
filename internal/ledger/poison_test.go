//go:build ledger

package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// mostKills is how often a message can end the process before it is given up, if nothing else ends
// the process: three times until it is found, and then while it is in the pipeline alone.
const mostKills = 3 + splits.LoneDeaths

// One message of many ends the process that works on it, and a supervisor restarts the process. The
// message becomes a dead letter, and all other messages are processed.
func TestLedgerPoison(t *testing.T) {
	t.Parallel()
	messages := numberOf(t, messagesEnv, 2000) // written within 20 seconds
	inModes(t, func(t *testing.T, mode func(*consumer)) { findKiller(t, messages, mode) }, "partition", "key", "share")
}

func findKiller(t *testing.T, messages int, mode func(*consumer)) {
	s, _ := newScenario(t)
	p := s.generate(t, max(steadyPerSecond, messages/20), func(g *generator) { g.Count = messages })
	killer := int64(messages / 2)
	reader := s.supervise(t, "reader", mode, givesUp(quickLetters, briefSession), func(c *consumer) {
		c.Crashes = fmt.Sprintf("@line.number() == %d", killer)
	})
	await(t, 5*waitLimit, "the message that ends the process to become a dead letter", func() bool {
		reader.restartIfDead(t)
		return len(s.letters(t)) > 0
	})
	found := time.Since(reader.died)
	p.join(t, waitLimit)

	a := s.awaitAndStop(t, without(s.entered(t), killer))
	s.requireLetters(t, "processes ended while", killer)
	require.NotContains(t, a.first, killer)
	if reader.kind() == consumerGroup {
		a.requireOrder(t)
	}
	figure(t, "the message ended its process", "%d times", reader.deaths())
	figure(t, "it was a dead letter", "%s after the first time", found.Round(time.Millisecond))
	figure(t, "delivered more than once", "%d of %d messages", a.repeatedLines(), messages)
	require.LessOrEqual(t, reader.deaths(), mostKills)
}

// repeatedLines returns how many lines were delivered more than once.
func (a *deliveries) repeatedLines() int {
	lines := map[int64]bool{}
	for _, r := range a.repeated {
		lines[r.Line] = true
	}
	return len(lines)
}
