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

// These environment variables say how TestChaos runs.
const (
	chaosSeconds  = "CHAOS_SECONDS"  // how long misfortune strikes; 60 if empty
	chaosSeed     = "CHAOS_SEED"     // what it is drawn from; a random one if empty
	chaosTopology = "CHAOS_TOPOLOGY" // single (if empty), sentinel or cluster
	chaosOnly     = "CHAOS_ONLY"     // only strikes with these words in their names; all if empty
)

const (
	// lookEvery is how often the books are read, listenEvery how often the streams are.
	lookEvery, listenEvery = 200 * time.Millisecond, time.Second
	// trimEvery is how often the streams lose what has long been read.
	trimEvery = 30 * time.Second
)

// Producers and consumers run through random misfortune: they are killed, frozen, cut off, come and
// go, and so do the servers. All that was acknowledged is in the streams, once and in order for its
// key; all that is in the streams comes out, in order for its key; what comes again has a cause;
// and nothing stands still. The seed, which is logged, gives the same strikes again, though not the
// same moment in each process's life. Lines to single processes are cut on a single server only:
// elsewhere clients learn the addresses from the servers.
func TestChaos(t *testing.T) {
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv(chaosSeed), strconv.Itoa(1+rand.IntN(1_000_000))), 10, 64)
	require.NoError(t, err, chaosSeed)
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv(chaosSeconds), "60"))
	require.NoError(t, err, chaosSeconds)
	topology := cmp.Or(os.Getenv(chaosTopology), "single")
	require.Contains(t, realms, topology, chaosTopology)
	t.Logf("make chaos SECONDS=%d SEED=%d TOPOLOGY=%s", seconds, seed, topology)

	logging.Disable() // go-redis tells of each connection that fails
	r := realms[topology](t)
	c := openChaos(t, r)
	strikes := slices.Concat(processStrikes, r.strikes)
	if r.proxied != nil {
		strikes = slices.Concat(strikes, lineStrikes)
	}
	strikes = slices.DeleteFunc(strikes, func(s strike) bool { return !strings.Contains(s.what, os.Getenv(chaosOnly)) })
	require.NotEmpty(t, strikes, chaosOnly)
	c.begin(t)
	c.suffer(t, newNemesis(seed, strikes), time.Duration(seconds)*time.Second)
	c.mend(t)
	c.verdict(t, seed, topology)
}

// chaos is a scenario under misfortune.
type chaos struct {
	*scenario
	seats   []*seat
	history history
	audit   *audit
	over    chan struct{}  // closed when misfortune ends
	strikes sync.WaitGroup // those under way
	passed  int            // strikes that found no victim
	seen    chan sighted
	read    []string // up to where each stream has been
	counted []int64  // entries of each
	// When the streams were last read, and trimmed.
	listened, trimmed time.Time

	mu            sync.Mutex
	serversStruck *blow
	underway      int       // strikes
	quiet         time.Time // when the latest has ended
	openBooks     []*producer
	openLedgers   []*member
	gone          []*takeover // not handed to the audit yet
}

// openChaos prepares the scenario and begins to look at the leases and the machine.
func openChaos(t testing.TB, r realm) *chaos {
	t.Helper()
	c := &chaos{
		scenario: openScenario(t, r.connection, r.client, partitions), seats: newSeats(t, r), over: make(chan struct{}),
		seen: make(chan sighted, 100), read: make([]string, partitions), counted: make([]int64, partitions),
	}
	c.audit = newAudit(&c.history, partitions)
	t.Cleanup(func() { // what is under way when the test fails
		c.endMisfortune()
		c.strikes.Wait()
	})
	c.watchAll(t)
	return c
}

// begin starts the first processes and waits until all goes its way.
func (c *chaos) begin(t testing.TB) {
	t.Helper()
	var names []string
	left := map[bool]int{true: producersFirst, false: consumersFirst}
	for _, s := range c.seats {
		if left[s.produces]--; left[s.produces] < 0 {
			continue
		}
		c.board(t, s)
		if !s.produces {
			names = append(names, s.process.name)
		}
	}
	c.awaitShares(t, names...)
	await(t, patience, "messages to come out", func() bool {
		c.look(t)
		return len(c.audit.heard) > producersFirst*seatPerSecond
	})
}

// suffer strikes for a while, or until a promise is broken.
func (c *chaos) suffer(t testing.TB, n *nemesis, lasts time.Duration) {
	t.Helper()
	end := time.Now().Add(lasts)
	pause, s, d, pick := n.next()
	due := time.Now().Add(pause)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for now := time.Now(); now.Before(end) && len(c.audit.violations) == 0; now = time.Now() {
		if !now.Before(due) && (s.effect != lone || c.calm()) {
			c.strike(t, s, d, pick)
			if s.effect == lone {
				now = now.Add(takeoverWithin)
			}
			pause, s, d, pick = n.next()
			due = now.Add(pause)
		}
		c.look(t)
		<-tick.C
	}
}

// mend ends misfortune and waits until all is well again. Then it stops the producers, waits until
// all that stands in the streams has come out, and stops the consumers.
func (c *chaos) mend(t testing.TB) {
	t.Helper()
	c.endMisfortune()
	mended := make(chan struct{})
	go func() { // ends with the strikes, which end by themselves
		c.strikes.Wait()
		close(mended)
	}()
	await(t, 2*patience, "the strikes to end", func() bool {
		c.look(t)
		select {
		case <-mended:
			return true
		default:
			return false
		}
	})
	c.awaitHealth(t)
	c.losses(t)
	c.dismiss(t, func(s *seat) bool { return s.produces })
	await(t, patience, "the streams to be read", func() bool {
		c.look(t)
		return c.readStreams(t)
	})
	waited := time.Now()
	await(t, 2*patience, "all messages to come out", func() bool {
		c.look(t)
		return c.audit.unread() == 0 || time.Since(waited) > patience // the verdict will name them
	})
	c.dismiss(t, func(s *seat) bool { return !s.produces })
	c.look(t)
	c.audit.judge(time.Now().Add(hindsight))
}

// awaitHealth waits until all consumers share the partitions, and each producer goes on.
func (c *chaos) awaitHealth(t testing.TB) {
	t.Helper()
	began := time.Now()
	var names []string
	for _, s := range c.running(func(s *seat) bool { return !s.produces }) {
		names = append(names, s.process.name)
	}
	c.awaitShares(t, names...)
	shared := time.Since(began)
	before := map[*producer]int{}
	for _, p := range c.openBooks {
		before[p] = p.acknowledged
	}
	await(t, patience, "each producer to go on", func() bool {
		c.look(t)
		return !slices.ContainsFunc(c.openBooks, func(p *producer) bool { return p.acknowledged == before[p] })
	})
	figure(
		t,
		"all well again after",
		"%s (partitions shared after %s)",
		time.Since(began).Round(time.Millisecond),
		shared.Round(time.Millisecond),
	)
}

func (c *chaos) endMisfortune() {
	select {
	case <-c.over:
	default:
		close(c.over)
	}
}

// dismiss lets some of the processes end by themselves.
func (c *chaos) dismiss(t testing.TB, wanted func(*seat) bool) {
	t.Helper()
	some := c.running(wanted)
	for _, s := range some {
		s.process.terminate(t)
	}
	for _, s := range some {
		s.process.join(t, stopWithin)
		s.process.dismissed.Store(true)
	}
}
