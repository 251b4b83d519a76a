//go:build ledger

package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The sink always rejects one message. It becomes one dead letter, and a replay brings it back once.
// Later the reader must not write dead letters for a while. Another message that is rejected waits for
// that, nothing is lost, and what has another order goes on without a delay.
func TestLedgerRejected(t *testing.T) {
	outage := lengthOf(t, outageEnv, 4*time.Second)
	inModes(t, func(t *testing.T, mode func(*consumer)) {
		rejectMessages(t, outage, mode)
	}, "partition", "key", "share")
}

// Rights of the reader.
const (
	allKeys   = "~*"
	noLetters = "~ledger ~ledger:* ~rafka:{ledger}:* ~rafka:{ledger:*"
)

func rejectMessages(t *testing.T, outage time.Duration, mode func(*consumer)) {
	s, _ := newScenario(t)
	k := s.openSink(t)
	s.allowReader(t, allKeys)
	reader := s.supervise(t, "reader", mode, givesUp(quickLetters, longSession), k.into, func(c *consumer) {
		c.URL = strings.Replace(s.URL, "redis://", "redis://reader:secret@", 1)
	})
	const first = steadyPerSecond
	k.setRejected(first, true)
	p := s.generate(t, steadyPerSecond)
	s.awaitLetters(t, 1)
	s.requireLetters(t, "422", first)
	k.setRejected(first, false)
	require.Contains(t, s.replay(t), "replayed 1 letter of")
	s.awaitLines(t, []int64{first})
	require.Contains(t, s.replay(t), "replayed 0 letters of")

	s.allowReader(t, noLetters)
	second := int64(len(s.entered(t)) + steadyPerSecond)
	k.setRejected(second, true)
	await(t, waitLimit, "the log to have the reason", func() bool {
		return strings.Contains(reader.wholeOutput(t), "its dead letter can't be written")
	})
	from := time.Now()
	<-time.After(outage)
	to := time.Now()
	s.requireLetters(t, "422", first)
	s.allowReader(t, allKeys)
	s.awaitLetters(t, 2)
	reader.awaitReady(t)

	s.stopProducers(t)
	a := s.awaitAndStop(t, without(s.entered(t), second))
	s.requireLetters(t, "422", first, second)
	require.Equal(t, 1, a.count(first), "deliveries of the replayed message")
	require.Zero(t, reader.deaths())
	figure(t, "the dead letters could not be written for", "%s", to.Sub(from).Round(time.Millisecond))
	d := a.delaysOf(from, to, func(r record) bool { return !waitsFor(reader.consumer, p, second, r) })
	d.show(t, "beside that message")
	require.LessOrEqual(t, d.longest, noDelay, "%s", d.slowest)
	require.Positive(t, d.messages)
}

// allowReader gives the user of the reader the right to all commands, with some keys.
func (s *scenario) allowReader(t testing.TB, keys string) {
	t.Helper()
	args := []any{"ACL", "SETUSER", "reader", "on", ">secret", "+@all", "allchannels", "resetkeys"}
	for pattern := range strings.FieldsSeq(keys) {
		args = append(args, pattern)
	}
	require.NoError(t, s.client.Do(t.Context(), args...).Err())
}

// waitsFor reports whether a message has the order of another one, which fails.
func waitsFor(c consumer, p *producer, failing int64, r record) bool {
	switch {
	case c.kind() == shareGroup:
		return false
	case c.Ordering == "key":
		return r.Key == p.keyOf(failing)
	default:
		return r.Partition == p.partitionOf(failing)
	}
}

// count returns how often a line was delivered.
func (a *deliveries) count(line int64) (n int) {
	for _, r := range a.records {
		if r.Line == line {
			n++
		}
	}
	return n
}
