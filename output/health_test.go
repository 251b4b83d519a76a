package output

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
)

// reply is an error as a Redis server gives it.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

var (
	errWrongType  = reply("WRONGTYPE Operation against a key holding the wrong kind of value")
	errOutOfSpace = reply("OOM command not allowed when used memory > 'maxmemory'.")
)

// patient is a server as health sees it.
type patient struct {
	mu     sync.Mutex
	server error
	topics map[string]error
	nodes  map[string]error
	asked  int
}

func (p *patient) checks() checks {
	return checks{
		server: func(context.Context) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.asked++
			return p.server
		},
		writer: func(_ context.Context, topic string) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.topics[topic]
		},
		partition: func(_ context.Context, t appender.Target) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.nodes[nodeByKey(t)]
		},
		node: nodeByKey,
	}
}

// nodeByKey has the partitions whose keys name a node on that.
func nodeByKey(t appender.Target) string {
	node, _, _ := strings.Cut(t.Key, "/")
	return node
}

// later lets verdicts grow old.
func later(t *testing.T) {
	t.Helper()
	time.Sleep(verdictFresh) // in a bubble of synctest, where it takes no time
}

func TestAwayMeansThatConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{topics: map[string]error{}}
		h := newHealth(p.checks(), "orders")
		assert.False(t, h.away(t.Context(), "orders"))
		p.server = io.EOF
		later(t)
		assert.True(t, h.away(t.Context(), "orders"))
		require.ErrorIs(t, h.connect(t.Context()), io.EOF)
		p.server, p.topics["orders"] = nil, errOutOfSpace
		later(t)
		assert.True(t, h.away(t.Context(), "orders"))
		require.ErrorIs(t, h.connect(t.Context()), errOutOfSpace)
		delete(p.topics, "orders")
		require.NoError(t, h.connect(t.Context()))
		assert.False(t, h.away(t.Context(), "orders"))
	})
}

func TestManyStalledBatchesShareOneCheck(t *testing.T) {
	p := &patient{server: io.EOF}
	h := newHealth(p.checks(), "orders")
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() { assert.True(t, h.away(t.Context(), "orders")) })
	}
	all.Wait()
	assert.Less(t, p.asked, 64)
}

func TestBrokenTopicBarsWritingUntilConnectFindsItMended(t *testing.T) {
	p := &patient{topics: map[string]error{"orders": errWrongType}}
	h := newHealth(p.checks(), "orders")
	h.failed("orders", errOutOfSpace)
	h.failed("orders", errors.New("too large"))
	assert.False(t, h.unfit(), "what passes or is the message's own fault bars nothing")
	h.failed("orders", errWrongType)
	assert.True(t, h.unfit())
	require.ErrorIs(t, h.connect(t.Context()), errWrongType)
	assert.True(t, h.unfit())
	delete(p.topics, "orders")
	require.NoError(t, h.connect(t.Context()))
	assert.False(t, h.unfit())
}

func TestBrokenTopicAmongManyBarsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{topics: map[string]error{"bad": errWrongType}}
		h := newHealth(p.checks(), "")
		h.failed("bad", errWrongType)
		assert.False(t, h.unfit())
		assert.False(t, h.away(t.Context(), "bad"))
		require.NoError(t, h.connect(t.Context()))

		p.topics["bad"] = errOutOfSpace
		later(t)
		assert.True(t, h.away(t.Context(), "bad"))
		require.ErrorIs(t, h.connect(t.Context()), errOutOfSpace)
		p.topics["bad"] = errWrongType
		require.NoError(t, h.connect(t.Context()), "its messages fail by themselves now")
	})
}

// The topic as a whole may be fine while one node of the cluster is away: Connect then has to fail
// for as long as that is so, or the engine would call it and WriteBatch in turns.
func TestStuckPartitionMeansThatConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{nodes: map[string]error{"a": io.EOF}}
		h := newHealth(p.checks(), "orders")
		on := func(key string) appender.Target { return appender.Target{Topic: "orders", Key: key} }
		one, other, alive := on("a/0"), on("a/1"), on("b/2")
		require.NoError(t, h.connect(t.Context()), "nobody has missed it yet")
		assert.True(t, h.stuck(t.Context(), one))
		assert.True(t, h.stuck(t.Context(), other))
		assert.False(t, h.stuck(t.Context(), alive))
		require.ErrorIs(t, h.connect(t.Context()), io.EOF)
		delete(p.nodes, "a")
		require.NoError(t, h.connect(t.Context()))
		later(t)
		assert.False(t, h.stuck(t.Context(), one))

		p.topics = map[string]error{"orders": errOutOfSpace}
		assert.True(
			t,
			h.stuck(t.Context(), appender.Target{Topic: "orders"}),
			"a single server is asked about the topic",
		)
		require.ErrorIs(t, h.connect(t.Context()), errOutOfSpace)
	})
}

func TestCancelledCheckSaysNothing(t *testing.T) {
	p := &patient{server: io.EOF}
	h := newHealth(p.checks(), "orders")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.False(t, h.away(ctx, "orders"))
	require.Error(t, h.connect(ctx))
	assert.True(t, h.away(t.Context(), "orders"), "the cancelled one left no verdict")
}
