package acceptance

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// A server that loads its data at its start rejects all commands with LOADING.
func TestPipelineSurvivesLoadingServer(t *testing.T) {
	t.Parallel()
	const toLoad = "for i = 1, 30000 do redis.call('SET', 'much', i) end return 1"
	var loading sync.WaitGroup
	outage{
		// The delay is in microseconds for each loaded command; the server answers after every 1024
		// commands.
		args: []string{"--appendonly", "yes", "--appendfsync", "no", "--key-load-delay", "50"},
		breakServer: func(t *testing.T, s *redistest.Server, c *redis.Client) {
			t.Helper()
			require.NoError(t, c.Eval(t.Context(), toLoad, nil).Err())
			s.Kill(t)
			loading.Go(func() { s.Restart(t) }) // joined by repair
		},
		repair:        func(*testing.T, *redistest.Server, *redis.Client) { loading.Wait() },
		recoversAlone: true,
		logs:          []string{"LOADING", "the server is loading its data: wait until it has finished"},
	}.run(t)
}

// A script of another client occupies the server, which answers BUSY and executes nothing.
func TestPipelineSurvivesBusyServer(t *testing.T) {
	t.Parallel()
	var script sync.WaitGroup
	outage{
		args: []string{"--busy-reply-threshold", "100"},
		breakServer: func(t *testing.T, s *redistest.Server, _ *redis.Client) {
			t.Helper()
			other := s.Client(t, func(o *redis.Options) { o.ReadTimeout = -1 })
			script.Go(func() { // ended by repair
				assert.ErrorContains(t, other.Eval(t.Context(), "while true do end", nil).Err(), "killed")
			})
			c := s.Client(t)
			occupied := func() bool { return redis.HasErrorPrefix(c.Ping(t.Context()).Err(), "BUSY") }
			require.Eventually(t, occupied, time.Minute, time.Millisecond)
		},
		repair: func(t *testing.T, _ *redistest.Server, c *redis.Client) {
			t.Helper()
			require.NoError(t, c.ScriptKill(t.Context()).Err())
			script.Wait()
		},
		logs: []string{"BUSY", "a script of another client occupies the server", "SCRIPT KILL"},
	}.run(t)
}

// The server rejects new connections, and existing ones are closed.
func TestPipelineSurvivesTooManyClients(t *testing.T) {
	t.Parallel()
	outage{
		breakServer: do([]any{"CONFIG", "SET", "maxclients", "1"}, []any{"CLIENT", "KILL", "SKIPME", "yes"}),
		repair:      do([]any{"CONFIG", "SET", "maxclients", "100"}),
		logs:        []string{"max number of clients reached", "raise the server's maxclients, or lower `pool.size`"},
	}.run(t)
}

// Other clients use all or nearly all connections when the pipeline starts, and disconnect later.
func TestPipelineStartsWhenConnectionsAreFree(t *testing.T) {
	for what, room := range map[string]int{"none free": 0, "one free": 1, "two free": 2, "three free": 3} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			const most = 16
			server := redistest.Start(t, "--maxclients", "16")
			client := server.Client(t, func(o *redis.Options) { o.PoolSize = 1 })
			source := newSource(t, client)
			source.write(t, 100)
			others := make([]*redis.Client, most-1-room)
			for i := range others {
				others[i] = server.Client(t, func(o *redis.Options) { o.PoolSize = 1 })
				require.Eventually(
					t,
					func() bool { return others[i].Ping(t.Context()).Err() == nil },
					time.Minute,
					time.Millisecond,
				)
			}
			load := loadOf(t, client)
			p := start(t, copier{url: server.URL()})
			awaitLogged(t, p.journal, "max number of clients reached", "raise the server's maxclients")
			p.awaitReady(t, 503)
			<-time.After(outageLasts)
			load.requireLowLoad(t, client)
			for _, other := range others {
				require.NoError(t, other.Close())
			}
			source.write(t, 100)
			source.awaitCopies(t, 0)
			p.awaitReady(t, 200)
			p.requireLoggedOnce(t)
			awaitCommitted(t, client)
			source.requireNoDuplicates(t, p)
		})
	}
}

// A server whose memory is full rejects new data. Batches in flight are finished and committed, and
// leases are renewed beyond a session.
func TestPipelineSurvivesFullMemory(t *testing.T) {
	t.Parallel()
	const filler = 16 << 20
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	client := server.Client(t)
	source := newSource(t, client)
	p := start(t, copier{url: server.URL(), session: "3s"})
	p.awaitReady(t, 200)
	source.write(t, 100)
	source.awaitCopies(t, 0)
	require.NoError(t, client.SetRange(t.Context(), "filler", filler, "x").Err())
	used := memoryUsed(t, client)

	pipe := client.Pipeline()
	source.writeBy(t, pipe, 2000)
	pipe.ConfigSet(t.Context(), "maxmemory", strconv.Itoa(used-filler/2))
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
	awaitLogged(
		t,
		p.journal,
		"path=root.output",
		"OOM",
		"the server has reached its maxmemory: raise maxmemory, or delete or trim data",
	)
	p.awaitReady(t, 503)
	load := loadOf(t, client)
	expiry := func(partition int) int64 {
		n, err := client.HGet(
			t.Context(),
			fmt.Sprintf("rafka:{orders:%d}:lease:copier", partition),
			"expires_ms",
		).Int64()
		require.NoError(t, err)
		return n
	}
	session := expiry(0) + 4000
	for i := range partitions {
		require.Eventually(
			t,
			func() bool { return expiry(i) > session },
			time.Minute,
			20*time.Millisecond,
			"the lease is renewed beyond a session",
		)
	}
	assert.Equal(t, 503, p.ready())
	load.requireLowLoad(t, client)

	require.NoError(t, client.Del(t.Context(), "filler").Err())
	source.write(t, 100)
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	awaitCommitted(t, client)
	source.requireNoDuplicates(t, p)
	p.requireLoggedOnce(t)
	assert.Empty(t, p.journal.Lines("path=root.input", "OOM"))
}

func memoryUsed(t *testing.T, client *redis.Client) int {
	t.Helper()
	info, err := client.Info(t.Context(), "memory").Result()
	require.NoError(t, err)
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); found {
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			return n
		}
	}
	require.Fail(t, "used_memory is missing")
	return 0
}

// writeBy adds the next n numbers through a Redis pipeline.
func (s *source) writeBy(t *testing.T, pipe redis.Pipeliner, n int) {
	t.Helper()
	for range n {
		key := s.next % keys
		pipe.XAdd(t.Context(), &redis.XAddArgs{
			Stream: fmt.Sprintf("orders:%d", key%partitions),
			Values: []string{"body", strconv.Itoa(s.next), broker.KeyField, strconv.Itoa(key)},
		})
		s.next++
	}
}

// A server that becomes the replica of another server takes over its data, and rejects writes until
// it is promoted again. Reading continues.
func TestPipelineSurvivesDemotionAndPromotion(t *testing.T) {
	t.Parallel()
	server, other := redistest.Start(t), redistest.Start(t)
	client := server.Client(t)
	source := newSource(t, client)
	p := start(t, copier{url: server.URL()})
	p.awaitReady(t, 200)
	source.write(t, 100)
	source.awaitCopies(t, 0)
	awaitCommitted(t, client)
	redistest.Replicate(t, server, other)
	require.NoError(t, other.Client(t).Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())

	redistest.Replicate(t, other, server)
	source.client = other.Client(t)
	source.write(t, 200)
	source.client = client
	// A blocked read fails with UNBLOCKED, and can be the only one to notice.
	require.Eventually(t, func() bool {
		return len(
			p.journal.Lines(
				"path=root.input",
				"READONLY",
				"the server is a read-only replica: point `url` to the master",
			),
		)+
			len(
				p.journal.Lines("path=root.input", "UNBLOCKED"),
			) > 0
	}, time.Minute, 20*time.Millisecond)
	awaitLogged(
		t,
		p.journal,
		"path=root.output",
		"READONLY",
		"the server is a read-only replica: point `url` to the master",
	)
	p.awaitReady(t, 503)
	load := loadOf(t, client)
	<-time.After(outageLasts)
	assert.Equal(t, 503, p.ready())
	require.Eventually(t, func() bool {
		return client.XLen(t.Context(), "orders:0").Val() == other.Client(t).XLen(t.Context(), "orders:0").Val()
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, client.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())
	load.requireLowLoad(t, client)

	source.write(t, 100)
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	p.requireLoggedOnce(t)
	awaitCommitted(t, client)
	source.requireNoDuplicates(t, p)
}

// A server that freezes briefly from time to time, as during a fork or a slow command, costs only
// time.
func TestPipelineSurvivesShortFreezes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	source := newSource(t, client)
	p := start(t, copier{url: server.URL()})
	p.awaitReady(t, 200)
	for range 4 {
		source.write(t, 300)
		server.Pause(t)
		<-time.After(800 * time.Millisecond) // longer than read_timeout, shorter than the session
		server.Resume(t)
	}
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	awaitCommitted(t, client)
	source.requireNoDuplicates(t, p)
	p.requireLoggedOnce(t)
}
