//go:build ledger

package ledger

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// fault is a kind of fault.
type fault struct {
	what        string
	weight      int           // relative to other faults
	least, most time.Duration // range of durations
	on          victims
	effect      effect
	inject      func(*chaos, testing.TB, injection)
}

// injection is a fault with its target.
type injection struct {
	host  *host // nil: the servers
	lasts time.Duration
	pick  int // a random number for further choices
	event *faultEvent
}

// victims are the kinds of targets.
type victims int

const (
	onConsumers victims = iota
	onSpareConsumers
	onFreeHosts
	onProducers
	onConnections
	onServers
)

// processFaults work on every topology.
var processFaults = []fault{
	{"a consumer is killed, and nothing else", 3, 0, 0, onConsumers, exclusive, (*chaos).killConsumer},
	{"a consumer is killed", 4, 0, 0, onConsumers, disruptive, (*chaos).killConsumer},
	{"a consumer restarts", 3, 0, time.Second, onConsumers, harmless, (*chaos).restart},
	{
		"a consumer is frozen within the session", 2, sessionTimeout / 10, sessionTimeout * 8 / 10,
		onConsumers, freezing, (*chaos).freezeConsumer,
	},
	{
		"a consumer is frozen beyond the session", 3, sessionTimeout, 3 * sessionTimeout,
		onConsumers, freezing, (*chaos).freezeConsumer,
	},
	{"a consumer joins", 4, 0, 0, onFreeHosts, harmless, (*chaos).join},
	{"a consumer leaves", 3, 0, 0, onSpareConsumers, harmless, (*chaos).leave},
	{"a producer is killed", 3, 0, time.Second, onProducers, harmless, (*chaos).killProducer},
	{"a producer restarts", 2, 0, time.Second, onProducers, harmless, (*chaos).restart},
	{"a producer is frozen", 2, sessionTimeout / 10, 2 * sessionTimeout, onProducers, harmless, (*chaos).freeze},
}

// connectionFaults need a proxy in front of each process.
var connectionFaults = []fault{
	connectionFault("a connection is a black hole", 3, cut((*redistest.Proxy).Blackhole)),
	connectionFault("a connection is reset", 2, cut((*redistest.Proxy).Reset)),
	connectionFault("a connection is slow", 2, slow),
	connectionFault("a connection holds requests", 2, cut((*redistest.Proxy).HoldRequests)),
	connectionFault("a connection holds replies", 2, cut((*redistest.Proxy).HoldReplies)),
}

func connectionFault(what string, weight int, inject func(*chaos, testing.TB, injection)) fault {
	return fault{what, weight, cutLeast, cutMost, onConnections, disruptive, inject}
}

func serverFault(what string, weight int, inject func(*chaos, testing.TB, injection)) fault {
	return fault{what, weight, cutLeast, cutMost, onServers, disruptive, inject}
}

const (
	cutLeast, cutMost = 200 * time.Millisecond, 2 * sessionTimeout
	// Between two faults.
	pauseLeast, pauseMost = time.Second, 6 * time.Second
)

// nemesis draws the faults. The draws depend only on the seed, not on the effects of earlier
// faults.
type nemesis struct {
	rng    *rand.Rand
	faults []fault
}

func newNemesis(seed uint64, faults []fault) *nemesis {
	return &nemesis{rng: rand.New(rand.NewPCG(seed, 0)), faults: faults}
}

// next returns the next fault, the pause before it, its duration, and a number that selects its
// target.
func (n *nemesis) next() (pause time.Duration, s fault, lasts time.Duration, pick int) {
	total := 0
	for _, s := range n.faults {
		total += s.weight
	}
	pause = n.between(pauseLeast, pauseMost)
	at, share, pick := n.rng.IntN(total), n.rng.Float64(), n.rng.IntN(1<<20)
	for _, s = range n.faults {
		if at -= s.weight; at < 0 {
			break
		}
	}
	return pause, s, s.least + time.Duration(share*float64(s.most-s.least)), pick
}

func (n *nemesis) between(least, most time.Duration) time.Duration {
	return least + time.Duration(n.rng.Float64()*float64(most-least))
}

// startFault injects a fault into a target without an active fault, if there is one.
func (c *chaos) startFault(t testing.TB, s fault, lasts time.Duration, pick int) {
	t.Helper()
	all := c.victims(s.on)
	if len(all) == 0 {
		c.skipped++
		return
	}
	v := all[pick%len(all)]
	e := c.noteFault(s, v)
	c.faults.Go(func() { // joined when the faults are over
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.history.end(e)
			*v.active = nil
			c.underway--
			c.quiet = time.Now()
		}()
		s.inject(c, backgroundTB{t}, injection{v.host, lasts, pick, e})
	})
}

// noteFault records the start of a fault.
func (c *chaos) noteFault(s fault, v victim) *faultEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	target := allServers
	switch {
	case v.host != nil && v.host.process != nil:
		target = v.host.process.name
	case v.host != nil:
		target = c.nextName(v.host.role)
	}
	*v.active = c.history.begin(s.what, target, s.effect)
	c.underway++
	return *v.active
}

// undisturbed reports whether no fault was active for takeoverWithin.
func (c *chaos) undisturbed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.underway == 0 && time.Since(c.quiet) > takeoverWithin
}

// victim is a possible target of a fault.
type victim struct {
	host   *host // nil: the servers
	active **faultEvent
}

// victims returns the targets of a kind that have no active fault.
func (c *chaos) victims(on victims) (free []victim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on == onServers {
		return ifIdle(victim{active: &c.serversFault})
	}
	busy := map[role]int{}
	for _, h := range c.hosts {
		if h.process != nil {
			busy[h.role]++
		}
	}
	for _, h := range c.hosts {
		v := victim{h, &h.processFault}
		switch {
		case on == onConnections && h.process != nil:
			v.active = &h.connectionFault
		case on == onFreeHosts && h.process == nil && reads(h):
		case on == onProducers && h.process != nil && !reads(h):
		case (on == onConsumers || on == onSpareConsumers && busy[h.role] > 1) && h.process != nil && reads(h):
		default:
			continue
		}
		free = append(free, ifIdle(v)...)
	}
	return free
}

func ifIdle(v victim) []victim {
	if *v.active != nil {
		return nil
	}
	return []victim{v}
}
