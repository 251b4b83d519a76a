package input

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// lasting holds fields with a session longer than a restart on a busy machine.
const lasting = "session_timeout: 30s\nheartbeat_interval: 2s\nread_timeout: 2s\n"

// reader is an input with a pipeline that acknowledges each batch immediately.
type reader struct {
	in  *input
	log *journal

	stop context.CancelFunc
	done sync.WaitGroup
	mu   sync.Mutex
	got  []string
}

// startReader opens an input and reads until close, or the end of the test.
func startReader(t *testing.T, url, fields string) *reader {
	t.Helper()
	in, log := closedInput(t, url, fields)
	require.NoError(t, reconnect(patient(t), in))
	ctx, stop := context.WithCancel(t.Context())
	r := &reader{in: in, log: log, stop: stop}
	r.done.Go(func() { r.run(ctx, t) }) // ends with stop
	t.Cleanup(r.close)
	return r
}

func (r *reader) run(ctx context.Context, t *testing.T) {
	for {
		d, err := next(ctx, r.in)
		if err != nil {
			return
		}
		texts := bodies(t, d.batch)
		r.mu.Lock()
		r.got = append(r.got, texts...)
		r.mu.Unlock()
		_ = d.ack(ctx, nil)
	}
}

// close stops reading and closes the input, like the engine.
func (r *reader) close() {
	r.stop()
	r.done.Wait()
	_ = r.in.Close(context.Background())
}

func (r *reader) texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *reader) owned() int { return r.in.current().consumer.Owned() }

// eventually waits for a condition, with a timeout for slow machines.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 10*time.Millisecond, what)
}

// instanceScene is a topic of four partitions that two static members share.
type instanceScene struct {
	t       *testing.T
	client  *redis.Client
	written int
	version string
}

func newInstanceScene(t *testing.T, url string, client *redis.Client) (s *instanceScene, mine, other *reader) {
	t.Helper()
	createTopic(t, client, 4)
	mine = startReader(t, url, lasting+"instance_id: me")
	other = startReader(t, url, lasting+"instance_id: other")
	s = &instanceScene{t: t, client: client}
	eventually(t, "each has two", func() bool { return mine.owned() == 2 && other.owned() == 2 })
	s.version = client.HGet(t.Context(), "rafka:{orders}:plan:g", "version").Val()
	s.spread()
	eventually(t, "all is committed", func() bool {
		return !slices.ContainsFunc([]string{"orders:0", "orders:1", "orders:2", "orders:3"}, func(stream string) bool {
			last := client.XRevRangeN(t.Context(), stream, "+", "-", 1).Val()
			return len(last) != 1 || committed(t, client, stream) != last[0].ID
		})
	})
	return s, mine, other
}

// spread writes one entry to each partition.
func (s *instanceScene) spread() {
	s.t.Helper()
	for p := range 4 {
		write(s.t, s.client, fmt.Sprintf("orders:%d", p), "", fmt.Sprint(s.written))
		s.written++
	}
}

// sameGroup requires that members and plan are unchanged and that the other member had no
// rebalance.
func (s *instanceScene) sameGroup(other *reader) {
	s.t.Helper()
	stored := s.client.HMGet(s.t.Context(), "rafka:{orders}:plan:g", "version", "planned_version").Val()
	assert.Equal(s.t, []any{s.version, s.version}, stored)
	rebalances := other.log.Lines("Rebalanced")
	assert.Contains(s.t, rebalances[len(rebalances)-1], "reading 2 partitions")
	assert.Empty(s.t, other.log.Lines("Lost the leases"))
}

// owners returns the owners of the leases.
func (s *instanceScene) owners() []string {
	all := map[string]bool{}
	for p := range 4 {
		all[s.client.HGet(s.t.Context(), fmt.Sprintf("rafka:{orders:%d}:lease:g", p), "owner").Val()] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// wantOnce requires that the readers received each written text exactly once.
func (s *instanceScene) wantOnce(readers ...*reader) {
	s.t.Helper()
	var all []string
	for _, r := range readers {
		all = append(all, r.texts()...)
	}
	assert.ElementsMatch(s.t, numbers(0, s.written), all)
}

func TestRestartWithAnInstanceIDMovesNoPartition(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		t.Parallel()
		s, mine, other := newInstanceScene(t, url, client)
		rebalances := len(other.log.Lines("Rebalanced"))
		readers := []*reader{other, mine}
		for range 3 {
			mine.close()
			s.spread()
			mine = startReader(t, url, lasting+"instance_id: me")
			readers = append(readers, mine)
			eventually(t, "it has its partitions", func() bool { return mine.owned() == 2 })
			eventually(t, "what came meanwhile is read", func() bool { return len(mine.texts()) == 2 })
			s.sameGroup(other)
		}
		eventually(t, "the other has read too", func() bool { return len(other.texts()) == s.written/2 })
		assert.Len(t, other.log.Lines("Rebalanced"), rebalances)
		s.wantOnce(readers...)
	})
}

func TestLaterInputOfAnInstanceFencesTheEarlier(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		t.Parallel()
		s, earlier, other := newInstanceScene(t, url, client)
		later := startReader(t, url, lasting+"instance_id: me")
		eventually(t, "it takes over", func() bool { return later.owned() == 2 })
		eventually(t, "the earlier one has nothing", func() bool { return earlier.owned() == 0 })
		had := len(earlier.texts())
		owners := s.owners()
		assert.Len(t, owners, 2)
		for range 10 { // some heartbeats
			s.spread()
			eventually(
				t,
				"all is read",
				func() bool { return len(earlier.texts())+len(later.texts())+len(other.texts()) == s.written },
			)
			<-time.After(500 * time.Millisecond)
			assert.Equal(t, owners, s.owners(), "nobody fights back")
		}
		s.wantOnce(earlier, later, other)
		assert.Len(t, earlier.texts(), had)
		s.sameGroup(other)
		assert.Empty(t, later.log.Lines("Fenced"))

		var superseded *splits.SupersededError
		err := earlier.in.Connect(brief(t, 100*time.Millisecond))
		assert.True(t, errors.As(err, &superseded) || errors.Is(err, context.DeadlineExceeded), "%v", err)
		_, _, err = earlier.in.ReadBatch(patient(t))
		require.ErrorIs(t, err, service.ErrNotConnected)
		told := earlier.log.Lines("level=ERROR", "Fenced")
		require.Len(t, told, 1)
		for _, word := range []string{"rafka/me", "stands by", "instance_id of its own"} {
			assert.Contains(t, told[0], word)
		}
	})
}

func TestEarlierInstanceReturnsWhenTheLaterSessionEnds(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		t.Parallel()
		createTopic(t, client, 2)
		earlier := startReader(t, url, unhurried+"instance_id: me")
		eventually(t, "it reads", func() bool { return earlier.owned() == 2 })
		later := startReader(t, url, unhurried+"instance_id: me")
		eventually(t, "it takes over", func() bool { return later.owned() == 2 && earlier.owned() == 0 })
		write(t, client, "orders:0", "", "a")
		eventually(t, "the later reads", func() bool { return slices.Contains(later.texts(), "a") })
		later.close()
		assert.Equal(
			t,
			int64(1),
			client.ZCard(t.Context(), "rafka:{orders}:members:g").Val(),
			"a static member stays when it is closed",
		)
		write(t, client, "orders:1", "", "b")
		eventually(t, "the earlier reads", func() bool { return slices.Contains(earlier.texts(), "b") })
		assert.Equal(t, []string{"b"}, earlier.texts())
		assert.Len(t, earlier.log.Lines("level=ERROR", "Fenced"), 1)
		assert.Len(t, earlier.log.Lines("Member rafka/me available again"), 1)
	})
}
