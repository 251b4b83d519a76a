package simulation

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

var (
	errLostRequest = fmt.Errorf("simulation: the request was lost: %w", splits.ErrUnfinished)
	errLostReply   = fmt.Errorf("simulation: the reply was lost: %w", splits.ErrUnfinished)
)

// fate is what happens to one request.
type fate int

const (
	arrives fate = iota
	requestLost
	replyLost
	late // reported to the caller as lost, and applied much later
	slow
	replySlow
	fates = replySlow // without arrives
)

// network connects one process to the store. The fate of a request depends on the seed, the
// process, the kind of the request and its number.
type network struct {
	rng    rng
	plan   plan
	counts *counts
	bad    *atomic.Bool // whether the network loses and delays requests now; shared by all networks
	nodes  *nodes       // shared by all networks

	mu   sync.Mutex
	sent map[splitstest.Method]int
	// frozen is closed when a paused process continues; nil while it runs.
	frozen chan struct{}
}

func newNetwork(l rng, p plan, c *counts, bad *atomic.Bool, n *nodes) *network {
	return &network{rng: l, plan: p, counts: c, bad: bad, nodes: n, sent: map[splitstest.Method]int{}}
}

// draw returns the fate of the next request of a kind.
func (n *network) draw(kind splitstest.Method) (fate, rng) {
	n.mu.Lock()
	count := n.sent[kind]
	n.sent[kind] = count + 1
	n.mu.Unlock()
	l := n.rng.of(string(kind)).nth(count)
	if !n.bad.Load() || l.of("fate").chance() >= n.plan.failRate {
		return arrives, l
	}
	return requestLost + fate(l.of("which").chance()*float64(fates)), l
}

// fault calls draw for a splitstest.Faults and adds the latency that every request has.
func (n *network) fault(call splitstest.Call) splitstest.Fault {
	f, l := n.draw(call.Method)
	fault := splitstest.Fault{
		Delay:      l.of("there").between(50*time.Microsecond, time.Millisecond),
		DelayReply: l.of("back").between(50*time.Microsecond, time.Millisecond),
	}
	n.mu.Lock()
	frozen := n.frozen
	n.mu.Unlock()
	if frozen != nil && l.of("frozen").chance() < 0.5 {
		fault.Hold = frozen
	} else if frozen != nil {
		fault.PauseReply = frozen
	}
	if o, down := n.nodes.reach(call.Splits); down && call.Method != splitstest.Hint {
		n.counts.count("(request to a node that is down)")
		if fault.Hold = o.frozen; o.frozen == nil {
			fault.Fail = splitstest.ErrOutage
		}
		return fault
	}
	if f != arrives && call.Method == splitstest.Hint {
		fault.Fail = errLostRequest
		n.counts.count("lost wake-up")
		return fault
	}
	switch f {
	case requestLost:
		fault.Fail = errLostRequest
		n.counts.count("lost request")
	case replyLost:
		fault.Lose = errLostReply
		n.counts.count("lost reply")
	case late:
		fault.Fail, fault.Late = errLostRequest, l.of("late").between(0, 2*n.plan.ttl)
		n.counts.count("late request")
	case slow:
		fault.Delay += l.of("slow").between(0, n.plan.ttl)
		n.counts.count("slow request")
	case replySlow:
		fault.DelayReply += l.of("slow").between(0, n.plan.heartbeat)
		n.counts.count("slow reply")
	}
	return fault
}

// freeze holds requests or their replies back until thaw.
func (n *network) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.frozen == nil {
		n.frozen = make(chan struct{})
	}
}

func (n *network) thaw() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.frozen != nil {
		close(n.frozen)
		n.frozen = nil
	}
}
