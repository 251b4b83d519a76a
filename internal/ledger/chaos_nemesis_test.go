//go:build ledger

package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// strike is a kind of misfortune.
type strike struct {
	what        string
	weight      int           // how often it is drawn, compared with others
	least, most time.Duration // that it lasts
	on          victims
	effect      effect
	does        func(*chaos, testing.TB, hit)
}

// hit is a strike on somebody.
type hit struct {
	seat  *seat // nil: on the servers
	lasts time.Duration
	pick  int // for what else is to be chosen
	blow  *blow
}

// victims are what a strike may be on.
type victims int

const (
	onConsumers victims = iota
	onSpareConsumers
	onFreeSeats
	onProducers
	onLines
	onServers
)

// processStrikes need nothing but processes.
var processStrikes = []strike{
	{"a consumer is killed, and nothing else", 3, 0, 0, onConsumers, lone, (*chaos).killConsumer},
	{"a consumer is killed", 4, 0, 0, onConsumers, harsh, (*chaos).killConsumer},
	{"a consumer restarts", 3, 0, time.Second, onConsumers, gentle, (*chaos).restart},
	{
		"a consumer is frozen within the session",
		2,
		sessionTimeout / 10,
		sessionTimeout * 8 / 10,
		onConsumers,
		freezing,
		(*chaos).freezeConsumer,
	},
	{
		"a consumer is frozen beyond the session",
		3,
		sessionTimeout,
		3 * sessionTimeout,
		onConsumers,
		freezing,
		(*chaos).freezeConsumer,
	},
	{"a consumer joins", 4, 0, 0, onFreeSeats, gentle, (*chaos).join},
	{"a consumer leaves", 3, 0, 0, onSpareConsumers, gentle, (*chaos).part},
	{"a producer is killed", 3, 0, time.Second, onProducers, gentle, (*chaos).killProducer},
	{"a producer restarts", 2, 0, time.Second, onProducers, gentle, (*chaos).restart},
	{"a producer is frozen", 2, sessionTimeout / 10, 2 * sessionTimeout, onProducers, gentle, (*chaos).freeze},
}

// lineStrikes need a proxy in front of each process.
var lineStrikes = []strike{
	{"a line is a black hole", 3, cutLeast, cutMost, onLines, harsh, cut((*redistest.Proxy).Blackhole)},
	{"a line is reset", 2, cutLeast, cutMost, onLines, harsh, cut((*redistest.Proxy).Reset)},
	{"a line is slow", 2, cutLeast, cutMost, onLines, harsh, slow},
	{"a line holds requests", 2, cutLeast, cutMost, onLines, harsh, cut((*redistest.Proxy).HoldRequests)},
	{"a line holds answers", 2, cutLeast, cutMost, onLines, harsh, cut((*redistest.Proxy).HoldAnswers)},
}

const (
	cutLeast, cutMost = 200 * time.Millisecond, 2 * sessionTimeout
	// Between two strikes.
	pauseLeast, pauseMost = time.Second, 6 * time.Second
)

// nemesis draws the strikes. What it draws depends on the seed alone, and not on what became of the
// strikes before.
type nemesis struct {
	luck    *rand.Rand
	strikes []strike
}

func newNemesis(seed uint64, strikes []strike) *nemesis {
	return &nemesis{luck: rand.New(rand.NewPCG(seed, 0)), strikes: strikes}
}

// next draws the next strike, how long it is until then, how long it lasts, and a number by which
// its victim is chosen.
func (n *nemesis) next() (pause time.Duration, s strike, lasts time.Duration, pick int) {
	total := 0
	for _, s := range n.strikes {
		total += s.weight
	}
	pause = n.between(pauseLeast, pauseMost)
	at, share, pick := n.luck.IntN(total), n.luck.Float64(), n.luck.IntN(1<<20)
	for _, s = range n.strikes {
		if at -= s.weight; at < 0 {
			break
		}
	}
	return pause, s, s.least + time.Duration(share*float64(s.most-s.least)), pick
}

func (n *nemesis) between(least, most time.Duration) time.Duration {
	return least + time.Duration(n.luck.Float64()*float64(most-least))
}

// strike has a strike begin on one of its victims that none is on already, if there is any.
func (c *chaos) strike(t testing.TB, s strike, lasts time.Duration, pick int) {
	t.Helper()
	all := c.victims(s.on)
	if len(all) == 0 {
		c.passed++
		return
	}
	v := all[pick%len(all)]
	b := c.befall(s, v)
	c.strikes.Go(func() { // joined when misfortune is over
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.history.end(b)
			*v.struck = nil
			c.underway--
			c.quiet = time.Now()
		}()
		s.does(c, aside{t}, hit{v.seat, lasts, pick, b})
	})
}

// befall notes that a strike begins.
func (c *chaos) befall(s strike, v victim) *blow {
	c.mu.Lock()
	defer c.mu.Unlock()
	whom := theServers
	switch {
	case v.seat != nil && v.seat.process != nil:
		whom = v.seat.process.name
	case v.seat != nil:
		whom = c.nextName()
	}
	*v.struck = c.history.begin(s.what, whom, s.effect)
	c.underway++
	return *v.struck
}

// calm reports whether no strike has been on anybody for a while.
func (c *chaos) calm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.underway == 0 && time.Since(c.quiet) > takeoverWithin
}

// victim is what a strike can be on.
type victim struct {
	seat   *seat // nil: the servers
	struck **blow
}

// victims are those that no strike is on.
func (c *chaos) victims(on victims) (free []victim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on == onServers {
		return unstruck(victim{struck: &c.serversStruck})
	}
	spare := -1
	for _, s := range c.seats {
		if !s.produces && s.process != nil {
			spare++
		}
	}
	for _, s := range c.seats {
		v := victim{s, &s.processStruck}
		switch {
		case on == onLines && s.process != nil:
			v.struck = &s.lineStruck
		case on == onFreeSeats && s.process == nil && !s.produces:
		case on == onProducers && s.process != nil && s.produces:
		case (on == onConsumers || on == onSpareConsumers && spare > 0) && s.process != nil && !s.produces:
		default:
			continue
		}
		free = append(free, unstruck(v)...)
	}
	return free
}

func unstruck(v victim) []victim {
	if *v.struck != nil {
		return nil
	}
	return []victim{v}
}

// killConsumer kills one and puts another in its place.
func (c *chaos) killConsumer(t testing.TB, h hit) {
	gone := time.Now()
	c.kill(t, h.seat)
	c.timeTakeover(t, h.seat.process.name, gone)
	c.board(t, h.seat)
}

// timeTakeover has the audit take the time until others read the partitions of one who is gone.
func (c *chaos) timeTakeover(t testing.TB, victim string, gone time.Time) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	leases, err := c.readLeases(ctx, c.client)
	if err != nil {
		return // then it is disturbed anyway
	}
	o := &takeover{victim: victim, gone: gone, pending: map[int]bool{}}
	for _, l := range heldBy(leases, victim) {
		o.pending[l.partition] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = append(c.gone, o)
}

func (c *chaos) killProducer(t testing.TB, h hit) {
	c.kill(t, h.seat)
	c.wait(h.lasts)
	c.board(t, h.seat)
}

func (c *chaos) restart(t testing.TB, h hit) {
	c.leave(t, h.seat)
	c.wait(h.lasts)
	c.board(t, h.seat)
}

func (c *chaos) join(t testing.TB, h hit) { c.board(t, h.seat) }

func (c *chaos) part(t testing.TB, h hit) { c.leave(t, h.seat) }

func (c *chaos) freeze(t testing.TB, h hit) {
	h.seat.process.pause(t)
	c.wait(h.lasts)
	h.seat.process.resume(t)
}

// freezeConsumer freezes one. If that is for long, others must take over meanwhile, if there are
// any.
func (c *chaos) freezeConsumer(t testing.TB, h hit) {
	others := c.running(func(s *seat) bool { return !s.produces && s != h.seat })
	gone := time.Now()
	h.seat.process.pause(t)
	if h.lasts > takeoverWithin && len(others) > 0 {
		c.timeTakeover(t, h.seat.process.name, gone)
	}
	c.wait(h.lasts - time.Since(gone))
	h.seat.process.resume(t)
}

// cut has a line in trouble for a while, whoever sits there meanwhile.
func cut(how func(*redistest.Proxy)) func(*chaos, testing.TB, hit) {
	return func(c *chaos, _ testing.TB, h hit) {
		how(h.seat.proxy)
		c.wait(h.lasts)
		h.seat.proxy.Pass()
	}
}

// slow has a line take its time for all that passes: the more, the shorter this lasts.
func slow(c *chaos, _ testing.TB, h hit) {
	h.seat.proxy.Delay((cutMost - h.lasts) / 8)
	c.wait(h.lasts)
	h.seat.proxy.Pass()
}

// nextName is that of the next consumer.
func (c *chaos) nextName() string { return fmt.Sprintf("c%d", len(c.consumers)+1) }
