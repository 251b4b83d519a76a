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

const damageFunctions = `
local s = KEYS[1]
local function put(id, text) return redis.call('XADD', s, id, 'body', text) end
local function add(from, to)
  local ids = {}
  for n = from, to do ids[#ids + 1] = put('*', tostring(n)) end
  return ids
end
`

// lossCase is a topic of two partitions. Entries 0 to 9 of the first were read and committed.
type lossCase struct {
	server   *redistest.Server
	client   *redis.Client
	dump     string
	in       *input
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

// open starts an input with metrics.
func (l *lossCase) open(t *testing.T, fields string) {
	t.Helper()
	l.in, l.journal, l.counters = countingInput(t, l.server.URL(), fields)
	require.NoError(t, reconnect(patient(t), l.in))
}

// countingInput returns a closedInput with metrics.
func countingInput(t *testing.T, url, fields string) (*input, *journal, *logtest.Counters) {
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

// awaitCommitted waits until all of the first partition is committed, also in the Redis consumer
// group.
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

// readUntil reads and acknowledges until the text arrives, and returns the earlier texts of the
// first partition.
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
	assert.True(t, told(), "nothing more is logged")
	assert.Len(t, l.journal.Lines("level=ERROR"), 1)
	assert.Len(t, l.journal.Lines("level=ERROR", c.line, "orders:0"), 1, "%v", l.journal.Lines("level=ERROR"))
}

// awaitSeen waits until the reader has checked the stream after all reads.
func (l *lossCase) awaitSeen(t *testing.T) {
	t.Helper()
	looks := func() (calls int) {
		stats, err := l.client.InfoMap(t.Context(), "commandstats").Result()
		require.NoError(t, err)
		// The statistics are missing before the first call.
		_, _ = fmt.Sscanf(stats["Commandstats"]["cmdstat_xinfo|stream"], "calls=%d", &calls)
		return calls
	}
	before := looks()
	require.Eventually(t, func() bool { return looks() >= before+6 }, time.Minute, 10*time.Millisecond)
}

// checkSpent expects that the stream disappeared without a loss.
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

// For each cause of loss, existing unread entries arrive once, the metrics and one log line report
// the missing ones, and commits continue, also in the Redis consumer group.
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

// With on_data_loss: fail, nothing behind the loss is handed out, one log line gives the remedy,
// and the input is not ready. Other partitions are read. Reading continues when the group has been
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
					if err := l.in.Connect(brief(t, 2*time.Second)); err != nil { // the loss has already been detected
						require.ErrorContains(t, err, "on_data_loss is fail")
					}
				}
				// The input reports the loss when it has detected it.
				_, _, err := l.in.ReadBatch(patient(t))
				require.ErrorContains(t, err, "not connected")
				errors := l.journal.Lines("level=ERROR")
				require.Len(t, errors, 1)
				for _, text := range []string{
					"Stopped: partition orders-0 is not read any further", c.stopped,
					"on_data_loss is fail", "rafka group seek",
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
