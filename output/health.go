package output

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
)

// verdictFresh is how long the result of a check holds for others who ask.
const verdictFresh = 500 * time.Millisecond

// checks are what health asks of the broker.
type checks struct {
	// server reports whether the server answers and is fit for use.
	server func(ctx context.Context) error
	// writer reports whether the topic can be written to.
	writer func(ctx context.Context, topic string) error
	// partition reports whether one partition can be written to.
	partition func(ctx context.Context, t appender.Target) error
	// node names the node of a cluster that has a partition; "" where there is but one server.
	node func(t appender.Target) string
}

// question is what can be asked: about the topic, or, of a cluster, about its partitions on one
// node. The zero question is about the server itself.
type question struct{ topic, node string }

// health knows whether writing makes sense. It sees to it that WriteBatch says "not connected" only
// while Connect fails for the same reason: the engine would else call the two in turns without a
// pause.
type health struct {
	checks checks
	// topic is stream_name if it is the same for all messages, else "".
	topic string
	now   func() time.Time

	// turn is held by whoever is asking the server: the others want the same answer.
	turn chan struct{}

	mu sync.Mutex
	// verdicts are the last answers.
	verdicts map[question]verdict
	// barred says that topic failed for a reason that retries don't mend: nothing is written until
	// Connect found it mended.
	barred bool
	// doubted is why WriteBatch said "not connected", with one of the node's partitions if it is
	// about those.
	doubted map[question]appender.Target
}

type verdict struct {
	at  time.Time
	err error
}

func newHealth(c checks, topic string) *health {
	return &health{
		checks: c, topic: topic, now: time.Now, turn: make(chan struct{}, 1),
		verdicts: map[question]verdict{}, doubted: map[question]appender.Target{},
	}
}

// failed takes note that messages of the topic could not be written. If all messages go to that one
// topic and the reason stays until somebody mends it, nothing more is to be tried meanwhile. Of
// many topics one that is broken does not stop the others.
func (h *health) failed(topic string, err error) {
	if topic != h.topic {
		return
	}
	switch broker.Classify(err) {
	case broker.ClassPermission, broker.ClassAuth, broker.ClassWrongType:
	default:
		if !broker.Exhausted(err) {
			return
		}
	}
	h.mu.Lock()
	h.barred = true
	h.mu.Unlock()
}

// unfit reports whether Connect must have found the topic mended before anything more is written.
func (h *health) unfit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.barred
}

// away reports whether the server or the topic is out of reach: Connect fails then until that has
// passed. The answer may be shared with others who asked just now.
func (h *health) away(ctx context.Context, topic string) bool {
	if h.topic != "" {
		topic = h.topic
	}
	return h.doubt(ctx, question{topic: topic}, appender.Target{})
}

// stuck is away for a partition whose appends don't get through. The node of a cluster that has it
// may be away alone.
func (h *health) stuck(ctx context.Context, t appender.Target) bool {
	node := h.checks.node(t)
	if node == "" {
		return h.away(ctx, t.Topic)
	}
	return h.doubt(ctx, question{t.Topic, node}, t)
}

// doubt asks, and remembers for Connect what it has to ask again.
func (h *health) doubt(ctx context.Context, q question, t appender.Target) bool {
	if !h.take(ctx) {
		return false
	}
	defer h.give()
	if h.ask(ctx, question{}, t) != nil {
		return ctx.Err() == nil
	}
	err := h.ask(ctx, q, t)
	if err == nil || ctx.Err() != nil || !passing(err) && q.topic != h.topic {
		return false
	}
	h.mu.Lock()
	h.doubted[q] = t
	h.mu.Unlock()
	return true
}

// connect asks everything anew that WriteBatch depends on, and clears what was held against it.
func (h *health) connect(ctx context.Context) error {
	if !h.take(ctx) {
		return ctx.Err()
	}
	defer h.give()
	h.mu.Lock()
	clear(h.verdicts)
	doubted := maps.Clone(h.doubted)
	h.mu.Unlock()
	if err := h.ask(ctx, question{}, appender.Target{}); err != nil {
		return err
	}
	if h.topic != "" {
		doubted[question{topic: h.topic}] = appender.Target{}
	}
	for _, q := range slices.SortedFunc(maps.Keys(doubted), nodesFirst) {
		// A topic among many that is broken for good is for its own messages to fail with.
		if err := h.ask(ctx, q, doubted[q]); err != nil && (q.topic == h.topic || passing(err)) {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.barred = false
	clear(h.doubted)
	return nil
}

// nodesFirst orders questions: those about single nodes are answered sooner, and their answers say
// more.
func nodesFirst(a, b question) int {
	return cmp.Or(-cmp.Compare(a.node, b.node), cmp.Compare(a.topic, b.topic))
}

// ask returns the answer to the question, from memory if it is fresh; of a node, t is the partition
// to try. The caller has the turn.
func (h *health) ask(ctx context.Context, q question, t appender.Target) error {
	h.mu.Lock()
	last, known := h.verdicts[q]
	h.mu.Unlock()
	if known && h.now().Sub(last.at) < verdictFresh {
		return last.err
	}
	var err error
	switch {
	case q == question{}:
		err = h.checks.server(ctx)
	case q.node != "":
		err = h.checks.partition(ctx, t)
	default:
		err = h.checks.writer(ctx, q.topic)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.verdicts) > 1000 {
		clear(h.verdicts)
	}
	h.verdicts[q] = verdict{at: h.now(), err: err}
	return err
}

// take waits for the turn.
func (h *health) take(ctx context.Context) bool {
	select {
	case h.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *health) give() { <-h.turn }

// lasting reports whether an error is the server's answer and stays until somebody mends its cause.
func lasting(err error) bool {
	if plain := (*broker.PlainStreamError)(nil); errors.As(err, &plain) {
		return true
	}
	switch broker.Classify(err) {
	case broker.ClassPermission, broker.ClassAuth, broker.ClassWrongType, broker.ClassFinal:
		return true
	}
	return false
}

// passing reports whether an error is known to pass by itself.
func passing(err error) bool {
	return broker.Classify(err) == broker.ClassTransient || broker.Unreachable(err)
}
