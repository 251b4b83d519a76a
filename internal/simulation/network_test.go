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

// fate is what becomes of one request.
type fate int

const (
	arrives fate = iota
	requestLost
	replyLost
	late // the caller is told that it was lost, and it is applied much later
	slow
	replySlow
	fates = replySlow // without arrives
)

// network is the way of one process to the store. Each request's fate follows from the seed, the
// process, its kind and its number.
type network struct {
	luck  luck
	plan  plan
	tally *tally
	storm *atomic.Bool // is it bad just now? shared by all
	nodes *nodes       // shared by all

	mu     sync.Mutex
	counts map[splitstest.Method]int
	// frozen is closed when a paused process goes on; nil while it runs.
	frozen chan struct{}
}

func (w *world) newNetwork(l luck) *network {
	return &network{
		luck:   l,
		plan:   w.plan,
		tally:  w.tally,
		storm:  &w.storm,
		nodes:  w.nodes,
		counts: map[splitstest.Method]int{},
	}
}

// draw decides about the next request of a kind.
func (n *network) draw(kind splitstest.Method) (fate, luck) {
	n.mu.Lock()
	count := n.counts[kind]
	n.counts[kind] = count + 1
	n.mu.Unlock()
	l := n.luck.of(string(kind)).nth(count)
	if !n.storm.Load() || l.of("fate").chance() >= n.plan.storm {
		return arrives, l
	}
	return requestLost + fate(l.of("which").chance()*float64(fates)), l
}

// fault is draw for a Faults, with the latency that every request has.
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
	if o, away := n.nodes.reach(call.Splits); away && call.Method != splitstest.Hint {
		n.tally.hit("(request to a node that is away)")
		if fault.Hold = o.frozen; o.frozen == nil {
			fault.Fail = splitstest.ErrOutage
		}
		return fault
	}
	if f != arrives && call.Method == splitstest.Hint {
		fault.Fail = errLostRequest
		n.tally.hit("lost wake-up")
		return fault
	}
	switch f {
	case requestLost:
		fault.Fail = errLostRequest
		n.tally.hit("lost request")
	case replyLost:
		fault.Lose = errLostReply
		n.tally.hit("lost reply")
	case late:
		fault.Fail, fault.Late = errLostRequest, l.of("late").between(0, 2*n.plan.ttl)
		n.tally.hit("late request")
	case slow:
		fault.Delay += l.of("slow").between(0, n.plan.ttl)
		n.tally.hit("slow request")
	case replySlow:
		fault.DelayReply += l.of("slow").between(0, n.plan.heartbeat)
		n.tally.hit("slow reply")
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
