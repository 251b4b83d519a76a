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

// allRead is what is logged of streams that are gone, and of which nothing was lost.
const allRead = "expired or were deleted after everything in them had been read"

// evictee is a key that a server evicts while a pipeline runs.
type evictee struct {
	key    string   // or several, by a pattern
	says   []string // the words of a line in the log; nil: nobody need know
	back   bool     // it is there again soon
	stream bool     // what was in it is gone
}

var evictees = map[string]evictee{
	"the lease": {
		key:  "rafka:{orders:1}:lease:copier",
		says: []string{"Lost the leases of 1 partition "},
		back: true,
	},
	"the plan":               {key: "rafka:{orders}:plan:copier", back: true},
	"the members":            {key: "rafka:{orders}:members:copier", back: true},
	"the topic that is read": {key: "rafka:{orders}:topic"},
	"the topic that is written": {
		key:  "rafka:{copies}:topic",
		says: []string{"was gone from Redis", "wrote it back with 4"},
		back: true,
	},
	"the producer":                {key: "rafka:{copies:[0-9]}:producer:*", back: true},
	"a partition that is read":    {key: "orders:2", says: []string{"partitions=2", allRead}, stream: true},
	"a partition that is written": {key: "copies:1", back: true, stream: true},
}

// Whatever key is evicted, all that is written from then on is copied, in order, and nothing else
// comes twice or stops.
func TestPipelineOutlivesTheEvictionOfAnyKey(t *testing.T) {
	for what, e := range evictees {
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
				if len(e.says) == 0 || len(p.journal.Lines(e.says...)) > 0 {
					return true
				}
				source.write(t, 1) // the output looks at its topic when it writes
				return false
			}, time.Minute, 50*time.Millisecond, "no line has all of %q", e.says)
			if e.back {
				require.Eventually(t, func() bool {
					return client.Exists(t.Context(), found...).Val() == int64(len(found))
				}, time.Minute, 20*time.Millisecond)
			}
			source.write(t, 50)
			source.awaitCopies(t, first)
			p.awaitReady(t, 200)
			source.requireNoneTwiceBut(t, p, gone)
			if len(e.says) > 0 {
				assert.Len(t, p.journal.Lines(e.says...), 1, "it is told once")
			}
			burden := burdenOf(t, client)
			<-time.After(time.Second)
			burden.requireBearable(t, client)
			assert.Zero(
				t,
				client.Exists(t.Context(), "orders", "copies", "rafka:{orders}:lease:copier").Val(),
				"no topic is taken for a plain one",
			)
		})
	}
}

// A server that evicts whatever it likes loses data, which is warned of and told. It stops nobody:
// once there is memory again all goes on.
func TestPipelineOutlivesAServerThatEvictsAnything(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "allkeys-random"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--maxmemory-policy", policy)
			client := server.Client(t)
			source := newSource(t, client)
			p := start(t, copier{url: server.URL()})
			source.write(t, 200)
			source.awaitCopies(t, 0)
			awaitTold(
				t,
				p.journal,
				"level=WARN",
				"path=root.input",
				"maxmemory-policy "+policy,
				"set maxmemory-policy to noeviction",
			)
			awaitTold(t, p.journal, "level=WARN", "path=root.output", "maxmemory-policy "+policy)

			require.NoError(
				t,
				client.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(memoryUsed(t, client)+1<<20)).Err(),
			)
			filler := strings.Repeat("x", 100<<10)
			evicted := map[string]bool{}
			for i := 0; len(evicted) < 5; i++ {
				require.Less(t, i, 10_000)
				_ = client.Set(t.Context(), fmt.Sprintf("filler:%d", i), filler, 0).Err() // it may be refused
				for _, key := range []string{
					"orders:0", "orders:1", "orders:2", "copies:0", "copies:1", "copies:2", "copies:3", "rafka:{orders}:topic",
					"rafka:{copies}:topic", "rafka:{orders}:plan:copier", "rafka:{orders:0}:lease:copier",
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
				"no topic is taken for a plain one",
			)
			assert.Len(t, p.journal.Lines("maxmemory-policy"), 2)
		})
	}
}
