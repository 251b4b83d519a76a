package output

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

const (
	// resultTTL is how long the result of a check is reused.
	resultTTL = 500 * time.Millisecond
	// maxResults bounds how many results are kept.
	maxResults = 1000
)

// checks are the requests that health sends.
type checks struct {
	// server reports whether the server answers and is fit for use.
	server func(ctx context.Context) error
	// topic reports whether the topic can be written to.
	topic func(ctx context.Context, topic string) error
	// partition reports whether one partition can be written to.
	partition func(ctx context.Context, t appender.Target) error
	// node returns the name of the cluster node that has a partition, "" if there is only one
	// server.
	node func(t appender.Target) string
}

// subjectKind is what a check is about.
type subjectKind int

const (
	aServer subjectKind = iota // the server
	aTopic                     // one topic
	aNode                      // the partitions of one topic on one node of a cluster
)

// subject is what a check is about. Checks of equal subjects have the same result.
type subject struct {
	kind  subjectKind
	topic string // empty for aServer
	node  string // set for aNode
}

// healthCheck is a check that health can send.
type healthCheck struct {
	subject
	// partition is the partition to check for aNode.
	partition appender.Target
}

func checkOfServer() healthCheck { return healthCheck{subject: subject{kind: aServer}} }

func checkOfTopic(topic string) healthCheck {
	return healthCheck{subject: subject{kind: aTopic, topic: topic}}
}

func checkOfNode(node string, t appender.Target) healthCheck {
	return healthCheck{subject: subject{kind: aNode, topic: t.Topic, node: node}, partition: t}
}

// result is the outcome of a check.
type result struct {
	at  time.Time
	err error
}

// health decides whether WriteBatch can write, and whether Connect succeeds. WriteBatch returns
// ErrNotConnected only while Connect fails for the same reason. Otherwise the engine would call the
// two in turn without a pause.
type health struct {
	checks checks
	// topic is stream_name if it is the same for all messages, else "".
	topic string
	now   func() time.Time

	// checking holds an element while a goroutine sends checks. The other goroutines wait and then
	// reuse its results.
	checking chan struct{}

	mu      sync.Mutex
	results map[subject]result
	// blocked is true after the topic failed with a permanent error. Nothing is written until
	// Connect succeeds.
	blocked bool
	// unavailable holds the checks because of which WriteBatch returned ErrNotConnected. Connect
	// repeats them. The server is not in it, since Connect always checks the server.
	unavailable map[subject]healthCheck
}

func newHealth(c checks, topic string) *health {
	return &health{
		checks: c, topic: topic, now: time.Now, checking: make(chan struct{}, 1),
		results: map[subject]result{}, unavailable: map[subject]healthCheck{},
	}
}

// writeFailed records that messages of the topic failed. If all messages go to this topic and the
// error is permanent, nothing is written until Connect succeeds. If messages go to many topics, one
// broken topic does not stop the others.
func (h *health) writeFailed(topic string, err error) {
	if topic != h.topic {
		return
	}
	switch rediserr.Classify(err) {
	case rediserr.ClassPermission, rediserr.ClassAuth, rediserr.ClassWrongType:
	default:
		if !rediserr.Exhausted(err) {
			return
		}
	}
	h.mu.Lock()
	h.blocked = true
	h.mu.Unlock()
}

// isBlocked reports whether nothing can be written before Connect succeeds.
func (h *health) isBlocked() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.blocked
}

// topicDown reports whether the server or the topic is unavailable. If it returns true, Connect
// fails until both are available again. The result may be that of a check up to resultTTL ago.
func (h *health) topicDown(ctx context.Context, topic string) bool {
	if h.topic != "" {
		topic = h.topic
	}
	return h.down(ctx, checkOfTopic(topic))
}

// partitionDown is topicDown for a partition whose appends are being retried. In a cluster it
// checks the node of the partition, which may be the only one that is unavailable.
func (h *health) partitionDown(ctx context.Context, t appender.Target) bool {
	node := h.checks.node(t)
	if node == "" {
		return h.topicDown(ctx, t.Topic)
	}
	return h.down(ctx, checkOfNode(node, t))
}

// down sends the checks of the server and c. If c fails, Connect repeats it.
func (h *health) down(ctx context.Context, c healthCheck) bool {
	if !h.lock(ctx) {
		return false
	}
	defer h.unlock()
	if h.check(ctx, checkOfServer()) != nil {
		return ctx.Err() == nil
	}
	err := h.check(ctx, c)
	if err == nil || ctx.Err() != nil || !h.disconnects(c, err) {
		return false
	}
	h.mu.Lock()
	h.unavailable[c.subject] = c
	h.mu.Unlock()
	return true
}

// disconnects reports whether a failed check of a topic or a node disconnects the output. One topic
// among many with a permanent error does not: its messages fail with the error.
func (h *health) disconnects(c healthCheck, err error) bool {
	return c.topic == h.topic || isTransient(err)
}

// connect repeats all checks on which WriteBatch depends, without results of earlier checks. If all
// succeed, WriteBatch can write again.
func (h *health) connect(ctx context.Context) error {
	if !h.lock(ctx) {
		return ctx.Err()
	}
	defer h.unlock()
	h.mu.Lock()
	clear(h.results)
	h.mu.Unlock()
	if err := h.check(ctx, checkOfServer()); err != nil {
		return err
	}
	for _, c := range h.toRepeat() {
		if err := h.check(ctx, c); err != nil && h.disconnects(c, err) {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blocked = false
	clear(h.unavailable)
	return nil
}

// toRepeat lists the checks that connect sends after the check of the server. Checks of nodes come
// first: they are answered sooner, and their errors are more precise.
func (h *health) toRepeat() []healthCheck {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []healthCheck
	for _, c := range h.unavailable {
		all = append(all, c)
	}
	if c := checkOfTopic(h.topic); h.topic != "" && !slices.Contains(all, c) {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b healthCheck) int {
		return cmp.Or(-cmp.Compare(a.node, b.node), cmp.Compare(a.topic, b.topic))
	})
	return all
}

// check sends a check, unless it has a recent result of an equal one. The caller has called lock.
func (h *health) check(ctx context.Context, c healthCheck) error {
	h.mu.Lock()
	last, known := h.results[c.subject]
	h.mu.Unlock()
	if known && h.now().Sub(last.at) < resultTTL {
		return last.err
	}
	err := h.send(ctx, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.results) >= maxResults {
		clear(h.results)
	}
	h.results[c.subject] = result{at: h.now(), err: err}
	return err
}

func (h *health) send(ctx context.Context, c healthCheck) error {
	switch c.kind {
	case aTopic:
		return h.checks.topic(ctx, c.topic)
	case aNode:
		return h.checks.partition(ctx, c.partition)
	default:
		return h.checks.server(ctx)
	}
}

// lock waits until no other goroutine sends checks. It returns false if ctx ends first.
func (h *health) lock(ctx context.Context) bool {
	select {
	case h.checking <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *health) unlock() { <-h.checking }

// isPermanent reports whether an error is an answer of the server that stays the same until an
// operator removes its cause.
func isPermanent(err error) bool {
	if plain := (*broker.PlainStreamError)(nil); errors.As(err, &plain) {
		return true
	}
	switch rediserr.Classify(err) {
	case rediserr.ClassPermission, rediserr.ClassAuth, rediserr.ClassWrongType, rediserr.ClassFinal:
		return true
	}
	return false
}

// isTransient reports whether an error is known to end without an operator.
func isTransient(err error) bool {
	return rediserr.Classify(err) == rediserr.ClassTransient || rediserr.Unreachable(err)
}
