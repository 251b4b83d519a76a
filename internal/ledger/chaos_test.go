//go:build ledger

package ledger

import (
	"cmp"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"
)

// Environment variables that configure TestChaos.
const (
	chaosSeconds  = "CHAOS_SECONDS"  // how long faults are injected; 60 if empty
	chaosSeed     = "CHAOS_SEED"     // the seed of the faults; random if empty
	chaosTopology = "CHAOS_TOPOLOGY" // single (if empty), sentinel or cluster
	chaosOnly     = "CHAOS_ONLY"     // only faults whose names contain these words; all if empty
)

const (
	// booksEvery is how often the files are read, streamsEvery how often the streams are.
	booksEvery, streamsEvery = 200 * time.Millisecond, time.Second
	// trimEvery is how often the streams are trimmed.
	trimEvery = 30 * time.Second
)

// Random faults hit producers, consumers and servers: they are killed, frozen and cut off, and
// members join and leave. Every acknowledged message is in the streams, once and in order for its
// key. A consumer group and a share group read the same topic. Each of them reads every message in
// the streams, the consumer group in order for its key. Every repeated read has a cause, and nothing
// stands still. The test logs its seed; the same seed draws the same faults, although
// they hit other moments in the lives of the processes. Connections of single processes are cut
// only on a single server: elsewhere clients learn the addresses from the servers.
func TestChaos(t *testing.T) {
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv(chaosSeed), strconv.Itoa(1+rand.IntN(1_000_000))), 10, 64)
	require.NoError(t, err, chaosSeed)
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv(chaosSeconds), "60"))
	require.NoError(t, err, chaosSeconds)
	name := cmp.Or(os.Getenv(chaosTopology), "single")
	require.Contains(t, topologies, name, chaosTopology)
	t.Logf("make chaos SECONDS=%d SEED=%d TOPOLOGY=%s", seconds, seed, name)

	logging.Disable() // go-redis logs every connection that fails
	r := topologies[name](t)
	c := openChaos(t, r)
	faults := slices.Concat(processFaults, r.faults)
	if r.proxied != nil {
		faults = slices.Concat(faults, connectionFaults)
	}
	faults = slices.DeleteFunc(faults, func(s fault) bool { return !strings.Contains(s.what, os.Getenv(chaosOnly)) })
	require.NotEmpty(t, faults, chaosOnly)
	c.begin(t)
	c.injectFaults(t, newNemesis(seed, faults), time.Duration(seconds)*time.Second)
	c.recoverAndDrain(t)
	c.report(t, seed, name)
}

// chaos is a scenario with faults.
type chaos struct {
	*scenario
	hosts       []*host
	history     history
	audit       *audit
	over        chan struct{}  // closed when no more faults are injected
	faults      sync.WaitGroup // active faults
	skipped     int            // faults that found no target
	samples     chan leaseSample
	positions   []string // last ID read from each stream
	entryCounts []int64  // entries read from each stream
	// When the streams were last read, and last trimmed.
	streamsRead, trimmed time.Time

	mu           sync.Mutex
	serversFault *faultEvent
	underway     int       // active faults
	quiet        time.Time // when the last fault ended
	openBooks    []*producer
	openLedgers  []*member
	takeovers    []*takeover // not yet passed to the audit
}

// openChaos prepares the scenario and starts to watch the leases and the machine.
func openChaos(t testing.TB, r topology) *chaos {
	t.Helper()
	c := &chaos{
		scenario: openScenario(t, r.connection, r.client, partitions),
		hosts:    newHosts(t, r),
		over:     make(chan struct{}),
		samples: make(
			chan leaseSample,
			100,
		),
		positions:   make([]string, partitions),
		entryCounts: make([]int64, partitions),
	}
	c.audit = newAudit(&c.history, partitions)
	t.Cleanup(func() { // ends active faults when the test fails
		c.stopFaults()
		c.faults.Wait()
	})
	c.watchAll(t)
	return c
}

// begin starts the first processes and waits until messages are read.
func (c *chaos) begin(t testing.TB) {
	t.Helper()
	var names []string
	started := map[role]int{}
	for _, h := range c.hosts {
		if started[h.role]++; started[h.role] > hostsOf[h.role].first {
			continue
		}
		c.start(t, h)
		if h.role == consuming {
			names = append(names, h.process.name)
		}
	}
	c.awaitShares(t, names...)
	await(t, waitLimit, "both groups to read messages", func() bool {
		c.poll(t)
		return !slices.ContainsFunc(c.audit.groups(), func(g *groupAudit) bool {
			return len(g.unchecked) < hostsOf[producing].first*hostPerSecond
		})
	})
}

// injectFaults injects faults for a while, or until there is a violation.
func (c *chaos) injectFaults(t testing.TB, n *nemesis, lasts time.Duration) {
	t.Helper()
	end := time.Now().Add(lasts)
	pause, s, d, pick := n.next()
	due := time.Now().Add(pause)
	tick := time.NewTicker(booksEvery)
	defer tick.Stop()
	for now := time.Now(); now.Before(end) && len(c.audit.violations) == 0; now = time.Now() {
		if !now.Before(due) && (s.effect != exclusive || c.undisturbed()) {
			c.startFault(t, s, d, pick)
			if s.effect == exclusive {
				now = now.Add(takeoverWithin)
			}
			pause, s, d, pick = n.next()
			due = now.Add(pause)
		}
		c.poll(t)
		<-tick.C
	}
}

// recoverAndDrain ends the faults and waits until everything works again. Then it stops the
// producers, waits until every message in the streams has been read, and stops the consumers.
func (c *chaos) recoverAndDrain(t testing.TB) {
	t.Helper()
	c.stopFaults()
	ended := make(chan struct{})
	go func() { // ends when the active faults have ended
		c.faults.Wait()
		close(ended)
	}()
	await(t, 2*waitLimit, "the faults to end", func() bool {
		c.poll(t)
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	c.awaitHealth(t)
	c.checkLosses(t)
	c.stopAll(t, has(producing))
	await(t, waitLimit, "the streams to be read", func() bool {
		c.poll(t)
		return c.readStreams(t)
	})
	waited := time.Now()
	await(t, 2*waitLimit, "all messages to be read", func() bool {
		c.poll(t)
		return c.audit.unread() == 0 || time.Since(waited) > waitLimit // the report names the missing messages
	})
	c.stopAll(t, reads)
	c.poll(t)
	c.checkPending(t)
	c.audit.check(time.Now().Add(checkDelay))
}

// awaitHealth waits until the members of the consumer group share the partitions, and every
// producer and every member of the share group makes progress.
func (c *chaos) awaitHealth(t testing.TB) {
	t.Helper()
	began := time.Now()
	var names []string
	for _, h := range c.running(has(consuming)) {
		names = append(names, h.process.name)
	}
	c.awaitShares(t, names...)
	shared := time.Since(began).Round(time.Millisecond)
	before := c.progress()
	await(t, waitLimit, "each producer and each member of the share group to make progress", func() bool {
		c.poll(t)
		for p, n := range c.progress() {
			if n == before[p] {
				return false
			}
		}
		return true
	})
	all := time.Since(began).Round(time.Millisecond)
	figure(t, "recovered after", "%s (partitions shared after %s)", all, shared)
}

// progress returns how many messages each producer has written, and how many each member of the
// share group has read.
func (c *chaos) progress() map[*process]int {
	done := map[*process]int{}
	for _, p := range c.openBooks {
		done[p.process] = p.acknowledged
	}
	for _, m := range c.openLedgers {
		if m.kind() == shareGroup {
			done[m.process] = m.consumerLedger.read
		}
	}
	return done
}

func (c *chaos) stopFaults() {
	select {
	case <-c.over:
	default:
		close(c.over)
	}
}

// stopAll terminates the selected processes gracefully.
func (c *chaos) stopAll(t testing.TB, wanted func(*host) bool) {
	t.Helper()
	some := c.running(wanted)
	for _, h := range some {
		h.process.terminate(t)
	}
	for _, h := range some {
		h.process.join(t, stopWithin)
		h.process.stopping.Store(true)
	}
}
