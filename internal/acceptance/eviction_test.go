package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// allRead is part of the log line about lost streams from which nothing was lost.
const allRead = "expired or were deleted after everything in them had been read"

// evictedKey is a key that a server evicts while a pipeline runs.
type evictedKey struct {
	key      string   // can be a pattern for several keys
	logs     []string // words of a log line; nil: nothing needs to be logged
	restored bool     // the key exists again soon
	stream   bool     // the content of the stream is lost
}

var evictedKeys = map[string]evictedKey{
	"the lease": {
		key:      "rafka:{orders:1}:lease:copier",
		logs:     []string{"Lost the leases of 1 partition "},
		restored: true,
	},
	"the plan":               {key: "rafka:{orders}:plan:copier", restored: true},
	"the members":            {key: "rafka:{orders}:members:copier", restored: true},
	"the groups":             {key: "rafka:{orders}:groups", restored: true},
	"the topic that is read": {key: "rafka:{orders}:topic"},
	"the topic that is written": {
		key:      "rafka:{copies}:topic",
		logs:     []string{"was gone from Redis", "wrote it back with 4"},
		restored: true,
	},
	"the producer":                {key: "rafka:{copies:[0-9]}:producer:*", restored: true},
	"a partition that is read":    {key: "orders:2", logs: []string{"partitions=2", allRead}, stream: true},
	"a partition that is written": {key: "copies:1", restored: true, stream: true},
}

// Whatever key is evicted, everything written afterwards is copied, in order; nothing else is
// delivered twice or stops.
func TestPipelineSurvivesEvictionOfAnyKey(t *testing.T) {
	for what, e := range evictedKeys {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			source := newSource(t, client)
			p := start(t, copier{url: server.URL()})
			source.write(t, 100)
			source.awaitCopies(t, 0)
			awaitCommitted(t, client)
			first := 0
			if e.stream {
				first = source.next
			}
			found, err := client.Keys(t.Context(), e.key).Result()
			require.NoError(t, err)
			require.NotEmpty(t, found)
			gone := int64(0)
			if strings.HasPrefix(e.key, "copies:") {
				gone = client.XLen(t.Context(), e.key).Val()
			}

			require.NoError(t, client.Unlink(t.Context(), found...).Err())
			source.write(t, 100)
			source.awaitCopies(t, first)
			require.Eventually(t, func() bool {
				if len(e.logs) == 0 || len(p.journal.Lines(e.logs...)) > 0 {
					return true
				}
				source.write(t, 1) // the output looks up its topic when it writes
				return false
			}, time.Minute, 50*time.Millisecond, "no line contains all of %q", e.logs)
			if e.restored {
				require.Eventually(t, func() bool {
					return client.Exists(t.Context(), found...).Val() == int64(len(found))
				}, time.Minute, 20*time.Millisecond)
			}
			source.write(t, 50)
			source.awaitCopies(t, first)
			p.awaitReady(t, 200)
			source.requireNoDuplicatesExcept(t, p, gone)
			if len(e.logs) > 0 {
				assert.Len(t, p.journal.Lines(e.logs...), 1, "logged once")
			}
			load := loadOf(t, client)
			<-time.After(time.Second)
			load.requireLowLoad(t, client)
			assert.Zero(
				t,
				client.Exists(t.Context(), "orders", "copies", "rafka:{orders}:lease:copier").Val(),
				"a partitioned topic was taken for a plain one",
			)
		})
	}
}

// A server that evicts arbitrary keys loses data. The input and the output log a warning in advance
// and report the losses, and everything resumes once there is memory again.
func TestPipelineSurvivesAllkeysEviction(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "allkeys-random"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--maxmemory-policy", policy)
			client := server.Client(t)
			source := newSource(t, client)
			p := start(t, copier{url: server.URL()})
			source.write(t, 200)
			source.awaitCopies(t, 0)
			awaitLogged(
				t,
				p.journal,
				"level=WARN",
				"path=root.input",
				"maxmemory-policy "+policy,
				"set maxmemory-policy to noeviction",
			)
			awaitLogged(t, p.journal, "level=WARN", "path=root.output", "maxmemory-policy "+policy)

			require.NoError(
				t,
				client.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(memoryUsed(t, client)+1<<20)).Err(),
			)
			filler := strings.Repeat("x", 100<<10)
			evicted := map[string]bool{}
			for i := 0; len(evicted) < 5; i++ {
				require.Less(t, i, 10_000)
				_ = client.Set(t.Context(), fmt.Sprintf("filler:%d", i), filler, 0).Err() // the server may reject it
				for _, key := range []string{
					"orders:0", "orders:1", "orders:2", "copies:0", "copies:1", "copies:2", "copies:3",
					"rafka:{orders}:topic", "rafka:{copies}:topic",
					"rafka:{orders}:plan:copier", "rafka:{orders:0}:lease:copier",
				} {
					if client.Exists(t.Context(), key).Val() == 0 {
						evicted[key] = true
					}
				}
			}
			t.Logf("evicted: %v", evicted)
			require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
			if client.Exists(t.Context(), "orders:0", "orders:1", "orders:2").Val() < partitions {
				require.Eventually(t, func() bool {
					const gone = "is gone: its stream was deleted, evicted or flushed"
					return len(p.journal.Lines(allRead))+len(p.journal.Lines("level=ERROR", gone)) > 0
				}, time.Minute, 20*time.Millisecond)
			}
			first := source.next
			source.write(t, 200)
			source.awaitCopies(t, first)
			p.awaitReady(t, 200)
			assert.Zero(
				t,
				client.Exists(t.Context(), "orders", "copies", "rafka:{orders}:lease:copier").Val(),
				"a partitioned topic was taken for a plain one",
			)
			assert.Len(t, p.journal.Lines("maxmemory-policy"), 2)
		})
	}
}
