package input

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// cause is one way in which a stream loses entries. Ten were read before, 0 to 9; damage is done by
// one script, so that the reader sees nothing in between. docs/explanation/data-loss.md describes
// each.
type cause struct {
	name string
	// damage is Lua over the stream s; add(from, to) writes numbers and returns their IDs, put(id,
	// text) one entry. ARGV[1] is a dump of the stream when it held 0 to 4.
	damage string
	// want is what arrives then; again says that entries which were read may come with it.
	want  []string
	again bool
	// lost and recreated are what the metrics say.
	lost, recreated int64
	// spent says that a member that was reading knows that everything had been read: it says so,
	// and counts nothing.
	spent bool
	// line is in the one line of the log, stopped in the one that on_data_loss: fail leaves.
	line, stopped string
}

// causesOfLoss are in the order of docs/explanation/data-loss.md.
var causesOfLoss = []cause{
	{
		name:    "trimmed before it was read",
		damage:  "add(10, 19) redis.call('XTRIM', s, 'MAXLEN', 3)",
		want:    numbers(17, 20),
		lost:    7,
		line:    "lost 7 entries before they were read",
		stopped: ": 7 entries after offset ",
	},
	{
		name:   "trimmed to nothing",
		damage: "add(10, 19) redis.call('XTRIM', s, 'MAXLEN', 0) add(20, 20)", want: numbers(20, 21), lost: 10,
		line: "lost 10 entries before they were read", stopped: ": 10 entries after offset ",
	},
	{
		name:    "deleted at the front",
		damage:  "local ids = add(10, 19) redis.call('XDEL', s, ids[1], ids[2])",
		want:    numbers(12, 20),
		lost:    2,
		line:    "lost 2 entries before they were read",
		stopped: ": 2 entries after offset ",
	},
	{
		name: "deleted in the middle", damage: "local ids = add(10, 19) redis.call('XDEL', s, ids[3], ids[5], ids[6])",
		want: []string{"10", "11", "13", "16", "17", "18", "19"}, lost: 3,
		line: "lost 3 entries before they were read", stopped: ": 3 entries after offset ",
	},
	{
		name:   "deleted and trimmed",
		damage: "local ids = add(10, 19) redis.call('XTRIM', s, 'MAXLEN', 8) redis.call('XDEL', s, ids[5], ids[9])",
		want:   []string{"12", "13", "15", "16", "17", "19"}, lost: 4,
		line: "lost 4 entries before they were read", stopped: ": 4 entries after offset ",
	},
	{
		name:      "recreated with higher IDs",
		damage:    "redis.call('DEL', s) add(10, 19)",
		want:      numbers(10, 20),
		recreated: 1,
		spent:     true,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "recreated with higher IDs and more entries",
		damage:    "redis.call('DEL', s) add(10, 39)",
		want:      numbers(10, 40),
		recreated: 1,
		spent:     true,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "recreated with lower IDs",
		damage:    "redis.call('DEL', s) put('5-1', 'a') put('5-2', 'b')",
		want:      []string{"a", "b"},
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "recreated with lower, then higher IDs",
		damage:    "redis.call('DEL', s) put('5-1', 'a') put('5-2', 'b') put('*', 'c')",
		want:      []string{"a", "b", "c"},
		again:     true,
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name: "deleted as a whole", damage: "redis.call('DEL', s)", recreated: 1, spent: true,
		line: "is gone: its stream was deleted, evicted or flushed", stopped: "its stream is gone",
	},
	{
		name:      "restored from an old dump",
		damage:    "redis.call('RESTORE', s, 0, ARGV[1], 'REPLACE')",
		again:     true,
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "restored from an old dump and written on",
		damage:    "redis.call('RESTORE', s, 0, ARGV[1], 'REPLACE') add(10, 12)",
		want:      numbers(10, 13),
		again:     true,
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
}

const damageFunctions = `
local s = KEYS[1]
local function put(id, text) return redis.call('XADD', s, id, 'body', text) end
local function add(from, to)
  local ids = {}
  for n = from, to do ids[#ids + 1] = put('*', tostring(n)) end
  return ids
end
`

// lossCase is a topic of two partitions, of whose first 0 to 9 were read and committed.
type lossCase struct {
	server   *redistest.Server
	client   *redis.Client
	dump     string
	in       *Input
	journal  *journal
	counters *logtest.Counters
}

func newLossCase(t *testing.T, fields string) *lossCase {
	t.Helper()
	server := redistest.Start(t)
	l := &lossCase{server: server, client: server.Client(t)}
	createTopic(t, l.client, 2)
	write(t, l.client, "orders:0", "", numbers(0, 5)...)
	var err error
	l.dump, err = l.client.Dump(t.Context(), "orders:0").Result()
	require.NoError(t, err)
	write(t, l.client, "orders:0", "", numbers(5, 10)...)
	l.open(t, fields)
	assert.Equal(t, numbers(0, 10), consume(t, l.in, 10))
	l.awaitCommitted(t)
	return l
}

// open starts an input that counts.
func (l *lossCase) open(t *testing.T, fields string) {
	t.Helper()
	l.in, l.journal, l.counters = countingInput(t, l.server.URL(), fields)
	require.NoError(t, reconnect(patient(t), l.in))
}

// countingInput is closedInput with metrics.
func countingInput(t *testing.T, url, fields string) (*Input, *journal, *logtest.Counters) {
	t.Helper()
	in, journal := closedInput(t, url, fields)
	counters := &logtest.Counters{}
	resources, err := counters.Resources(journal)
	require.NoError(t, err)
	in = newInput(in.settings, resources)
	t.Cleanup(func() { _ = in.Close(context.Background()) }) // Redis may be down
	return in, journal, counters
}

func (l *lossCase) do(t *testing.T, damage string) {
	t.Helper()
	require.NoError(
		t,
		l.client.Eval(t.Context(), damageFunctions+damage+" return 1", []string{"orders:0"}, l.dump).Err(),
	)
}

func (l *lossCase) count(name string) int64 {
	return l.counters.Get(name + " topic=orders partition=0 group=g")
}

// awaitCommitted waits until all of the first partition is committed and the Redis consumer group
// shows it.
func (l *lossCase) awaitCommitted(t *testing.T) {
	t.Helper()
	var group redis.XInfoGroup
	var stream *redis.XInfoStream
	shown := func() bool {
		groups, err := l.client.XInfoGroups(t.Context(), "orders:0").Result()
		if err != nil || len(groups) != 1 {
			return false
		}
		group = groups[0]
		if stream, err = l.client.XInfoStream(t.Context(), "orders:0").Result(); err != nil {
			return false
		}
		return committed(t, l.client, "orders:0") == stream.LastGeneratedID &&
			group.LastDeliveredID == stream.LastGeneratedID &&
			group.EntriesRead == stream.EntriesAdded &&
			group.Lag == 0
	}
	if !assert.Eventually(t, shown, time.Minute, 10*time.Millisecond) {
		t.Logf("the group: %+v, the stream: %+v, committed: %s", group, stream, committed(t, l.client, "orders:0"))
	}
}

// readUntil reads and acknowledges until the text has come, and returns what came of the first
// partition before it.
func (l *lossCase) readUntil(t *testing.T, text string) (all []string) {
	t.Helper()
	ctx := patient(t)
	for {
		d, err := next(ctx, l.in)
		require.NoError(t, err, "waiting for %q; so far %q", text, all)
		got := bodies(t, d.batch)
		require.NoError(t, d.ack(ctx, nil))
		if i := slices.Index(got, text); i >= 0 {
			return append(all, got[:i]...)
		}
		all = append(all, got...)
	}
}

func (c cause) check(t *testing.T, l *lossCase) {
	t.Helper()
	var got []string
	if len(c.want) > 0 {
		last := c.want[len(c.want)-1]
		got = append(l.readUntil(t, last), last)
	}
	told := func() bool {
		return l.count("rafka_lost_entries_total") == c.lost && l.count("rafka_recreated_total") == c.recreated
	}
	if !assert.Eventually(t, told, time.Minute, 10*time.Millisecond) {
		t.Logf("lost %d, recreated %d", l.count("rafka_lost_entries_total"), l.count("rafka_recreated_total"))
	}
	write(t, l.client, "orders:0", "", "end")
	got = append(got, l.readUntil(t, "end")...)
	if c.again {
		got = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(got))), func(text string) bool {
			return !slices.Contains(c.want, text) && slices.Contains(numbers(0, 10), text)
		})
	}
	assert.ElementsMatch(t, c.want, got)
	l.awaitCommitted(t)
	assert.True(t, told(), "and nothing more is told")
	assert.Len(t, l.journal.Lines("level=ERROR"), 1)
	assert.Len(t, l.journal.Lines("level=ERROR", c.line, "orders:0"), 1, "%v", l.journal.Lines("level=ERROR"))
}

// awaitSeen waits until the reader has looked at the stream after all reads.
func (l *lossCase) awaitSeen(t *testing.T) {
	t.Helper()
	looks := func() (calls int) {
		stats, err := l.client.InfoMap(t.Context(), "commandstats").Result()
		require.NoError(t, err)
		_, _ = fmt.Sscanf(stats["Commandstats"]["cmdstat_xinfo|stream"], "calls=%d", &calls) // absent before the first
		return calls
	}
	before := looks()
	require.Eventually(t, func() bool { return looks() >= before+6 }, time.Minute, 10*time.Millisecond)
}

// checkSpent expects that the stream went away without a loss.
func (c cause) checkSpent(t *testing.T, l *lossCase) {
	t.Helper()
	write(t, l.client, "orders:0", "", "end")
	assert.Equal(t, c.want, l.readUntil(t, "end"))
	l.awaitCommitted(t)
	require.Eventually(t, func() bool {
		return len(l.journal.Lines("level=INFO", "expired or were deleted after everything in them had been read")) == 1
	}, time.Minute, 10*time.Millisecond)
	assert.Zero(t, l.count("rafka_lost_entries_total"))
	assert.Zero(t, l.count("rafka_recreated_total"))
	assert.Zero(t, l.count("rafka_fenced_total"))
	assert.Empty(t, l.journal.Lines("level=ERROR"))
	assert.Empty(t, l.journal.Lines("level=WARN"))
}

// Every cause of loss: what is there and was not read arrives, once; the metrics and one line of
// the log say what is missing; commits, and what tools see of the group, go on.
func TestCausesOfLoss(t *testing.T) {
	for _, c := range causesOfLoss {
		t.Run(c.name+", while it is read", func(t *testing.T) {
			t.Parallel()
			l := newLossCase(t, "")
			l.awaitSeen(t)
			l.do(t, c.damage)
			if c.spent {
				c.checkSpent(t, l)
				return
			}
			c.check(t, l)
		})
		t.Run(c.name+", while nobody reads", func(t *testing.T) {
			t.Parallel()
			l := newLossCase(t, "")
			require.NoError(t, l.in.Close(context.Background()))
			l.do(t, c.damage)
			l.open(t, "")
			c.check(t, l)
		})
	}
}

// With on_data_loss: fail nothing behind the loss is handed out, the log says once what to do, the
// input is not ready, other partitions flow, and reading goes on by itself once the group has been
// moved.
func TestCausesOfLossWithOnDataLossFail(t *testing.T) {
	for _, c := range causesOfLoss {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, while it is read: %v", c.name, running), func(t *testing.T) {
				t.Parallel()
				l := newLossCase(t, "on_data_loss: fail")
				if c.spent && running {
					l.awaitSeen(t)
					l.do(t, c.damage)
					c.checkSpent(t, l)
					return
				}
				if !running {
					require.NoError(t, l.in.Close(context.Background()))
				}
				l.do(t, c.damage)
				if !running {
					l.in, l.journal, l.counters = countingInput(t, l.server.URL(), "on_data_loss: fail")
					if err := l.in.Connect(brief(t, 2*time.Second)); err != nil { // the loss was seen already
						require.ErrorContains(t, err, "on_data_loss is fail")
					}
				}
				// Nothing is to be had: the input says so once the loss has been seen.
				_, _, err := l.in.ReadBatch(patient(t))
				require.ErrorContains(t, err, "not connected")
				errors := l.journal.Lines("level=ERROR")
				require.Len(t, errors, 1)
				for _, text := range []string{
					"Stopped: partition orders-0 is not read any further", c.stopped, "on_data_loss is fail", "rafka group seek",
					"set on_data_loss to continue",
				} {
					assert.Contains(t, errors[0], text)
				}
				assert.Equal(t, c.lost, l.count("rafka_lost_entries_total"))
				assert.Equal(t, c.recreated, l.count("rafka_recreated_total"))
				write(t, l.client, "orders:1", "", "flows")
				assert.Empty(t, l.readUntil(t, "flows"))
				owner, err := l.client.HGet(t.Context(), "rafka:{orders:0}:lease:g", "owner").Result()
				require.NoError(t, err)
				assert.True(t, strings.HasPrefix(owner, "rafka/"), "the lease stays")

				_, err = admin.New(
					l.client,
				).SeekGroup(
					t.Context(),
					admin.Seek{Topic: "orders", Group: "g", To: "earliest"},
				)
				require.NoError(t, err)
				write(t, l.client, "orders:0", "", "end")
				assert.Subset(t, l.readUntil(t, "end"), c.want)
				l.awaitCommitted(t)
				assert.Len(t, l.journal.Lines("level=ERROR"), 1)
			})
		}
	}
}
