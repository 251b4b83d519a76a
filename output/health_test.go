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

// reply is an error that a Redis server returned.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

var (
	errWrongType  = reply("WRONGTYPE Operation against a key holding the wrong kind of value")
	errOutOfSpace = reply("OOM command not allowed when used memory > 'maxmemory'.")
)

// fakeServer is a server as health sees it.
type fakeServer struct {
	mu       sync.Mutex
	server   error
	topics   map[string]error
	nodes    map[string]error
	requests int
}

func (p *fakeServer) checks() checks {
	return checks{
		server: func(context.Context) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.requests++
			return p.server
		},
		topic: func(_ context.Context, topic string) error {
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

// nodeByKey returns the part of the key before "/", which is the node of the partition.
func nodeByKey(t appender.Target) string {
	node, _, _ := strings.Cut(t.Key, "/")
	return node
}

// later waits until health does not reuse results any more.
func later(t *testing.T) {
	t.Helper()
	time.Sleep(resultTTL) // in a bubble of synctest, where it takes no time
}

func TestTopicDownMeansThatConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeServer{topics: map[string]error{}}
		h := newHealth(p.checks(), "orders")
		assert.False(t, h.topicDown(t.Context(), "orders"))
		p.server = io.EOF
		later(t)
		assert.True(t, h.topicDown(t.Context(), "orders"))
		require.ErrorIs(t, h.connect(t.Context()), io.EOF)
		p.server, p.topics["orders"] = nil, errOutOfSpace
		later(t)
		assert.True(t, h.topicDown(t.Context(), "orders"))
		require.ErrorIs(t, h.connect(t.Context()), errOutOfSpace)
		delete(p.topics, "orders")
		require.NoError(t, h.connect(t.Context()))
		assert.False(t, h.topicDown(t.Context(), "orders"))
	})
}

func TestManyStalledBatchesShareOneCheck(t *testing.T) {
	p := &fakeServer{server: io.EOF}
	h := newHealth(p.checks(), "orders")
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() { assert.True(t, h.topicDown(t.Context(), "orders")) })
	}
	all.Wait()
	assert.Less(t, p.requests, 64)
}

func TestBrokenTopicBlocksWritingUntilConnectSucceeds(t *testing.T) {
	p := &fakeServer{topics: map[string]error{"orders": errWrongType}}
	h := newHealth(p.checks(), "orders")
	h.writeFailed("orders", errOutOfSpace)
	h.writeFailed("orders", errors.New("too large"))
	assert.False(t, h.isBlocked(), "transient errors and errors of one message block nothing")
	h.writeFailed("orders", errWrongType)
	assert.True(t, h.isBlocked())
	require.ErrorIs(t, h.connect(t.Context()), errWrongType)
	assert.True(t, h.isBlocked())
	delete(p.topics, "orders")
	require.NoError(t, h.connect(t.Context()))
	assert.False(t, h.isBlocked())
}

func TestBrokenTopicAmongManyBlocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeServer{topics: map[string]error{"bad": errWrongType}}
		h := newHealth(p.checks(), "")
		h.writeFailed("bad", errWrongType)
		assert.False(t, h.isBlocked())
		assert.False(t, h.topicDown(t.Context(), "bad"))
		require.NoError(t, h.connect(t.Context()))

		p.topics["bad"] = errOutOfSpace
		later(t)
		assert.True(t, h.topicDown(t.Context(), "bad"))
		require.ErrorIs(t, h.connect(t.Context()), errOutOfSpace)
		p.topics["bad"] = errWrongType
		require.NoError(t, h.connect(t.Context()), "the messages of the topic fail instead")
	})
}

// The topic can be available while one node of the cluster is not. Connect must fail as long as the
// node is unavailable, or the engine would call Connect and WriteBatch in turn without a pause.
func TestPartitionDownMeansThatConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeServer{nodes: map[string]error{"a": io.EOF}}
		h := newHealth(p.checks(), "orders")
		on := func(key string) appender.Target { return appender.Target{Topic: "orders", Key: key} }
		one, other, alive := on("a/0"), on("a/1"), on("b/2")
		require.NoError(t, h.connect(t.Context()), "no write has failed yet")
		assert.True(t, h.partitionDown(t.Context(), one))
		assert.True(t, h.partitionDown(t.Context(), other))
		assert.False(t, h.partitionDown(t.Context(), alive))
		require.ErrorIs(t, h.connect(t.Context()), io.EOF)
		delete(p.nodes, "a")
		require.NoError(t, h.connect(t.Context()))
		later(t)
		assert.False(t, h.partitionDown(t.Context(), one))

		p.topics = map[string]error{"orders": errOutOfSpace}
		assert.True(
			t,
			h.partitionDown(t.Context(), appender.Target{Topic: "orders"}),
			"a single server gets the check of the topic",
		)
		require.ErrorIs(t, h.connect(t.Context()), errOutOfSpace)
	})
}

func TestCancelledCheckLeavesNoResult(t *testing.T) {
	p := &fakeServer{server: io.EOF}
	h := newHealth(p.checks(), "orders")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.False(t, h.topicDown(ctx, "orders"))
	require.Error(t, h.connect(ctx))
	assert.True(t, h.topicDown(t.Context(), "orders"), "the cancelled check left no result")
}
