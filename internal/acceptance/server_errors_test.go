package acceptance

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// action changes a server.
type action func(t *testing.T, s *redistest.Server, c *redis.Client)

func do(commands ...[]any) action {
	return func(t *testing.T, _ *redistest.Server, c *redis.Client) {
		t.Helper()
		for _, command := range commands {
			require.NoError(t, c.Do(t.Context(), command...).Err())
		}
	}
}

func kill(t *testing.T, s *redistest.Server, _ *redis.Client)    { t.Helper(); s.Kill(t) }
func restart(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Restart(t) }
func pause(t *testing.T, s *redistest.Server, _ *redis.Client)   { t.Helper(); s.Pause(t) }
func resume(t *testing.T, s *redistest.Server, _ *redis.Client)  { t.Helper(); s.Resume(t) }

const asAnn = "username: ann\npassword: pw\n"

func ann(rules ...any) []any { return append([]any{"ACL", "SETUSER", "ann"}, rules...) }

// everything gives ann all permissions.
var everything = ann("on", ">pw", "~*", "&*", "+@all")

// problem is one kind of problem that a running pipeline can meet.
type problem struct {
	credentials         string
	breakServer, repair action
	logs                []string // words of a log line
}

var problems = map[string]problem{
	"no connection": {"", kill, restart, []string{"cannot be reached", "check `url`"}},
	"no answer":     {"", pause, resume, []string{"did not answer in time"}},
	"no such user": {
		asAnn,
		do([]any{"ACL", "DELUSER", "ann"}),
		do(everything),
		[]string{"check `username` and `password`"},
	},
	"no permission":          {asAnn, do(ann("-xadd", "-xread")), do(ann("+xadd", "+xread")), []string{"ACL SETUSER"}},
	"no permission for keys": {asAnn, do(ann("resetkeys")), do(ann("~*")), []string{"ACL SETUSER"}},
	"no scripts": {
		asAnn,
		do(ann("-evalsha", "-eval")),
		do(ann("+evalsha", "+eval")),
		[]string{"ACL SETUSER"},
	},
	"a replica": {
		"",
		do([]any{"REPLICAOF", "127.0.0.1", "1"}),
		do([]any{"REPLICAOF", "NO", "ONE"}),
		[]string{"read-only replica"},
	},
	"keys of other types": {"", replaceKeys, restoreKeys, []string{"WRONGTYPE", "rename or delete that key"}},
	"scripts flushed":     {"", do([]any{"SCRIPT", "FLUSH"}), do(), nil},
}

// replacedKeys are one partition of the input's topic, and all partitions of the output's topic.
var replacedKeys = []string{"orders:2", "copies:0", "copies:1", "copies:2", "copies:3"}

// replaceKeys replaces partitions by keys of another type, each in one transaction: members must
// not see the key missing.
func replaceKeys(t *testing.T, _ *redistest.Server, c *redis.Client) {
	t.Helper()
	for _, key := range replacedKeys {
		exists := c.Exists(t.Context(), key).Val() == 1
		_, err := c.TxPipelined(t.Context(), func(tx redis.Pipeliner) error {
			if exists {
				tx.Rename(t.Context(), key, key+":aside")
			}
			return tx.Set(t.Context(), key, "in the way", 0).Err()
		})
		require.NoError(t, err)
	}
}

// restoreKeys restores the partitions, each in one step.
func restoreKeys(t *testing.T, _ *redistest.Server, c *redis.Client) {
	t.Helper()
	for _, key := range replacedKeys {
		if c.Exists(t.Context(), key+":aside").Val() == 1 {
			require.NoError(t, c.Rename(t.Context(), key+":aside", key).Err())
			continue
		}
		require.NoError(t, c.Del(t.Context(), key).Err())
	}
}

// A running pipeline survives all problems of the server: it is not ready, logs why, and recovers
// without help. Nothing is lost and every key stays in order.
func TestPipelineSurvivesServerErrors(t *testing.T) {
	for what, d := range problems {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			client := server.Client(t)
			do(everything)(t, server, client)
			source := newSource(t, client)
			p := start(t, copier{url: server.URL(), credentials: d.credentials})
			p.awaitReady(t, 200)
			source.write(t, 200)
			source.awaitCopies(t, 0)

			d.breakServer(t, server, client)
			if d.logs != nil {
				if what == "keys of other types" {
					source.writeOther(t, 2) // the other partitions are read, and meet the output's problem
				}
				p.awaitReady(t, 503)
				require.Eventually(
					t,
					func() bool { return len(p.journal.Lines(d.logs...)) > 0 },
					time.Minute,
					20*time.Millisecond,
					"no line contains all of %q",
					d.logs,
				)
				assert.Equal(t, 503, p.ready())
			}
			d.repair(t, server, client)
			source.write(t, 200)
			source.awaitCopies(t, 0)
			p.awaitReady(t, 200)
			assert.LessOrEqual(t, len(p.journal.Lines("level=ERROR")), 12, "few lines per outage")
			// A read that is blocked while its server becomes a replica fails first, with an error
			// of its own. On a busy machine, requests to the healthy server can time out too.
			outages := p.journal.Lines("level=ERROR", "Redis unavailable, retrying")
			allowed := 1 + len(p.journal.Lines("UNBLOCKED"))
			if what != "no answer" {
				allowed += len(p.journal.Lines("Redis unavailable, retrying", "did not answer in time"))
			}
			assert.LessOrEqual(t, len(outages), allowed)
			assert.Empty(t, p.journal.Lines("was recreated"))
		})
	}
}

func TestPipelineWaitsForServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	source := newSource(t, server.Client(t))
	source.write(t, 50)
	server.Kill(t)
	p := start(t, copier{url: server.URL()})
	logged := func() bool { return len(p.journal.Lines("Failed to connect to rafka", "check `url`")) >= 2 }
	require.Eventually(t, logged, time.Minute, 20*time.Millisecond, "the input and the output log it")
	p.awaitReady(t, 503)
	server.Restart(t)
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	assert.Len(t, p.journal.Lines("msg=\"Failed to connect to rafka", "path=root.input"), 1, "the input logs it once")
}

// After FLUSHALL everything that is written afterwards is copied, and no topic is taken for a plain
// one.
func TestPipelineSurvivesFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	source := newSource(t, client)
	p := start(t, copier{url: server.URL()})
	source.write(t, 100)
	source.awaitCopies(t, 0)
	require.NoError(t, client.FlushAll(t.Context()).Err())
	first := source.next
	source.write(t, 100)
	source.awaitCopies(t, first)
	require.Eventually(t, func() bool { // the output writes the metadata of its topic again
		source.write(t, 1)
		return client.HGet(t.Context(), "rafka:{copies}:topic", "partitions").Val() == "4"
	}, time.Minute, 100*time.Millisecond)
	assert.Zero(t, client.Exists(t.Context(), "copies", "orders", "rafka:{orders}:lease:copier").Val())
	source.awaitCopies(t, first)
	p.awaitReady(t, 200)
}
