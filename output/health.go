package output

import (
	"context"
	"errors"
	"sync"
	"time"

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
}

// health knows whether writing makes sense. It sees to it that WriteBatch says "not connected" only while Connect fails for the
// same reason: the engine would else call the two in turns without a pause.
type health struct {
	checks checks
	// topic is stream_name if it is the same for all messages, else "".
	topic string
	now   func() time.Time

	// turn is held by whoever is asking the server: the others want the same answer.
	turn chan struct{}

	mu sync.Mutex
	// verdicts are the last results by topic; "" is the server itself.
	verdicts map[string]verdict
	// barred says that topic failed for a reason that retries don't mend: nothing is written until Connect found it mended.
	barred bool
	// doubted are the topics for which WriteBatch said "not connected".
	doubted map[string]struct{}
}

type verdict struct {
	at  time.Time
	err error
}

func newHealth(c checks, topic string) *health {
	return &health{
		checks: c, topic: topic, now: time.Now, turn: make(chan struct{}, 1),
		verdicts: map[string]verdict{}, doubted: map[string]struct{}{},
	}
}

// failed takes note that messages of the topic could not be written. If all messages go to that one topic and the reason stays
// until somebody mends it, nothing more is to be tried meanwhile. Of many topics one that is broken does not stop the others.
func (h *health) failed(topic string, err error) {
	if topic != h.topic {
		return
	}
	switch broker.Classify(err) {
	case broker.ClassPermission, broker.ClassAuth, broker.ClassWrongType:
		h.mu.Lock()
		h.barred = true
		h.mu.Unlock()
	}
}

// unfit reports whether Connect must have found the topic mended before anything more is written.
func (h *health) unfit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.barred
}

// away reports whether the server or the topic, whose appends don't get through, is out of reach: Connect fails then until that
// has passed. The answer may be shared with others who asked just now.
func (h *health) away(ctx context.Context, topic string) bool {
	if h.topic != "" {
		topic = h.topic
	}
	if !h.take(ctx) {
		return false
	}
	defer h.give()
	if h.ask(ctx, "") != nil {
		return ctx.Err() == nil
	}
	err := h.ask(ctx, topic)
	if err == nil || ctx.Err() != nil || !passing(err) && topic != h.topic {
		return false
	}
	h.mu.Lock()
	h.doubted[topic] = struct{}{}
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
	h.mu.Unlock()
	if err := h.ask(ctx, ""); err != nil {
		return err
	}
	for _, topic := range h.questioned() {
		// A topic among many that is broken for good is for its own messages to fail with.
		if err := h.ask(ctx, topic); err != nil && (topic == h.topic || passing(err)) {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.barred = false
	clear(h.doubted)
	return nil
}

// questioned lists the topics that Connect has to check.
func (h *health) questioned() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var topics []string
	if h.topic != "" {
		topics = append(topics, h.topic)
	}
	for topic := range h.doubted {
		if topic != h.topic {
			topics = append(topics, topic)
		}
	}
	return topics
}

// ask returns the verdict on the topic, or on the server if topic is "", from memory if it is fresh. The caller has the turn.
func (h *health) ask(ctx context.Context, topic string) error {
	h.mu.Lock()
	last, known := h.verdicts[topic]
	h.mu.Unlock()
	if known && h.now().Sub(last.at) < verdictFresh {
		return last.err
	}
	var err error
	if topic == "" {
		err = h.checks.server(ctx)
	} else {
		err = h.checks.writer(ctx, topic)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.verdicts) > 1000 {
		clear(h.verdicts)
	}
	h.verdicts[topic] = verdict{at: h.now(), err: err}
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
