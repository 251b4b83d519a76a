package splits_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// sharer is a ShareConsumer with a pipeline that records what it receives.
type sharer struct {
	*splits.ShareConsumer
	splits.NopObserver
	w      *world
	faults *splitstest.Faults
	// handle resolves a batch; nil acknowledges it immediately.
	handle func(b *splits.Batch)

	cancel  context.CancelFunc
	done    chan struct{}
	crashed bool

	mu        sync.Mutex
	names     []string
	got       []delivery
	errs      []error
	losses    []splits.Loss
	reclaimed int
	skipped   int
	passed    int
	tookIdle  int
	isolated  int
	lettered  int
	troubles  []string
	failing   []splits.Failing
}

func (m *sharer) Lost(all []splits.Loss) { m.note(func() { m.losses = append(m.losses, all...) }) }

func (m *sharer) Reclaimed(_ splits.Split, n int) { m.note(func() { m.reclaimed += n }) }

func (m *sharer) TookIdle(_ splits.Split, n int) { m.note(func() { m.tookIdle += n }) }

func (m *sharer) Skipped(_ splits.Split, n int) { m.note(func() { m.skipped += n }) }

func (m *sharer) Failing(f splits.Failing) { m.note(func() { m.failing = append(m.failing, f) }) }

func (m *sharer) PassedOver(_ splits.Split, n int) { m.note(func() { m.passed += n }) }

func (m *sharer) DeadLettered(splits.Letter) { m.note(func() { m.lettered++ }) }

func (m *sharer) Unavailable(_ splits.Part, err error) {
	m.note(func() { m.troubles = append(m.troubles, err.Error()) })
}

func (m *sharer) Isolated(splits.Split) { m.note(func() { m.isolated++ }) }

func (m *sharer) note(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }

func (m *sharer) deliveries() (all []delivery) {
	m.note(func() { all = slices.Clone(m.got) })
	return all
}

func (m *sharer) name() (name string) {
	m.note(func() { name = m.names[len(m.names)-1] })
	return name
}

// share starts a member of a share group; each change may alter its configuration and its pipeline
// before that.
func (w *world) share(name string, change ...func(*splits.ShareConfig, *sharer)) *sharer {
	m := &sharer{w: w, faults: &splitstest.Faults{}, done: make(chan struct{})}
	cfg := splits.ShareConfig{
		Group:  m.faults.ShareGroup(w.store.ShareGroup("orders", "g")),
		Shares: m.faults.Shares(w.store.Shares("orders", "g")),
		TTL:    ttl, Heartbeat: heartbeat, Observer: m,
		NewName: func(context.Context) (splits.ShareName, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.names = append(m.names, name+strconv.Itoa(len(m.names)))
			return splits.ShareName{Member: m.names[len(m.names)-1]}, nil
		},
	}
	for _, c := range change {
		c(&cfg, m)
	}
	m.ShareConsumer = splits.NewShareConsumer(cfg)
	m.Start()
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go m.pipeline(ctx) // ends with stop or crash
	w.t.Cleanup(m.stop)
	return m
}

func (m *sharer) pipeline(ctx context.Context) {
	defer close(m.done)
	for ctx.Err() == nil {
		b, err := m.Poll(ctx)
		if err != nil {
			m.note(func() { m.errs = append(m.errs, err) })
			if _ = m.Await(ctx); ctx.Err() != nil {
				return
			}
			continue
		}
		m.note(func() {
			for _, e := range b.Entries {
				m.got = append(m.got, delivery{b.Split, e.Offset, field(e, "n"), b.Deliveries, time.Now()})
			}
		})
		if m.handle == nil {
			b.Ack()
		} else {
			m.handle(b)
		}
	}
}

// stop ends polling and closes the member.
func (m *sharer) stop() {
	m.cancel()
	<-m.done
	err := m.Close(context.Background())
	if !m.crashed {
		assert.NoError(m.w.t, err)
	}
}

// crash cuts off the member permanently, whatever it is doing.
func (m *sharer) crash() {
	m.crashed = true
	m.faults.Outage(true)
	m.cancel()
	<-m.done
}

// holding makes a member keep all batches.
func holding(_ *splits.ShareConfig, m *sharer) { m.handle = func(*splits.Batch) {} }

// timesDelivered returns how often the members received each entry of a split.
func timesDelivered(members ...*sharer) map[string]int {
	times := map[string]int{}
	for _, m := range members {
		for _, d := range m.deliveries() {
			times[d.split.ID()+"/"+d.number]++
		}
	}
	return times
}

// wantEach checks that the members received n entries of every split, each of them once.
func (w *world) wantEach(n int, members ...*sharer) {
	w.t.Helper()
	want := map[string]int{}
	for _, s := range w.store.Splits("orders") {
		for i := range n {
			want[s.ID()+"/"+strconv.Itoa(i)] = 1
		}
	}
	assert.Equal(w.t, want, timesDelivered(members...))
}

// pending returns how many entries of a split are pending at each name.
func (w *world) pending(partition int) map[string]int {
	n := map[string]int{}
	for name := range maps.Values(w.store.Share("g", w.store.Split("orders", partition)).Pending) {
		n[name]++
	}
	return n
}

// inBubble runs a test with a world in simulated time.
func inBubble(t *testing.T, partitions int, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, partitions)
		test(w)
	})
}

func requireNoErrors(t *testing.T, members ...*sharer) {
	t.Helper()
	for _, m := range members {
		m.note(func() {
			for _, err := range m.errs {
				require.ErrorIs(t, err, context.Canceled)
			}
		})
	}
}
