package splits_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

const (
	ttl       = 10 * time.Second
	heartbeat = 3 * time.Second
)

// world is a topic, a group and its members, under the clock of a synctest bubble.
type world struct {
	t     *testing.T
	store *splitstest.Store
}

func newWorld(t *testing.T, partitions int) *world {
	w := &world{t: t, store: splitstest.NewStore()}
	if partitions > 0 {
		w.store.SetPartitions("orders", partitions)
	}
	return w
}

// fill appends n entries with one key to each split. Their field n continues the numbers of the
// existing entries.
func (w *world) fill(n int) {
	for _, s := range w.store.Splits("orders") {
		for i := range n {
			w.store.Append(s, "n", strconv.Itoa(i), "rafka_key", s.ID())
		}
	}
}

// delivery is one entry as a member received it.
type delivery struct {
	split      splits.Split
	offset     splits.Offset
	number     string
	deliveries int
	at         time.Time
}

// member is a Consumer with a pipeline that records what it receives.
type member struct {
	*splits.Consumer
	splits.NopObserver
	w      *world
	faults *splitstest.Faults
	// handle resolves a batch; nil acknowledges it immediately.
	handle func(b *splits.Batch)

	cancel  context.CancelFunc
	done    chan struct{}
	out     sync.WaitGroup // batches that are handled later
	crashed bool

	mu         sync.Mutex
	got        []delivery
	errs       []error
	losses     []splits.Loss
	fenced     []error
	troubles   []string
	causes     []error // errors passed to Unavailable
	recoveries int
	samples    []splits.Sample
	rebalances []splits.Rebalance
	stalled    int
	skipped    int
	passed     int
	isolated   int
	failing    []splits.Failing
}

func (m *member) Lost(all []splits.Loss) { m.note(func() { m.losses = append(m.losses, all...) }) }

func (m *member) Fenced(_ []splits.Split, err error) {
	m.note(func() { m.fenced = append(m.fenced, err) })
}

func (m *member) Unavailable(part splits.Part, err error) {
	m.note(func() {
		m.troubles, m.causes = append(m.troubles, part.String()+": "+err.Error()), append(m.causes, err)
	})
}

func (m *member) Available(splits.Part) { m.note(func() { m.recoveries++ }) }

func (m *member) Sampled(s []splits.Sample) { m.note(func() { m.samples = s }) }

func (m *member) Rebalanced(r splits.Rebalance) {
	m.note(func() { m.rebalances = append(m.rebalances, r) })
}

func (m *member) Stalled(time.Duration) { m.note(func() { m.stalled++ }) }

func (m *member) Skipped(_ splits.Split, n int) { m.note(func() { m.skipped += n }) }

func (m *member) PassedOver(_ splits.Split, n int) { m.note(func() { m.passed += n }) }
func (m *member) Failing(f splits.Failing)         { m.note(func() { m.failing = append(m.failing, f) }) }

func (m *member) Isolated(splits.Split) { m.note(func() { m.isolated++ }) }

func (m *member) note(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }

func see[T any](m *member, f func() T) T { m.mu.Lock(); defer m.mu.Unlock(); return f() }

func (m *member) deliveries() []delivery {
	return see(m, func() []delivery { return slices.Clone(m.got) })
}

// wantTrouble checks the first error that was passed to Unavailable.
func (m *member) wantTrouble(text string) {
	m.w.t.Helper()
	troubles := see(m, func() []string { return slices.Clone(m.troubles) })
	require.NotEmpty(m.w.t, troubles)
	assert.Contains(m.w.t, troubles[0], text)
}

func (m *member) count() int { return see(m, func() int { return len(m.got) }) }

// join starts a member; each change may alter its configuration and its pipeline before that.
func (w *world) join(name string, change ...func(*splits.Config, *member)) *member {
	m := &member{w: w, faults: &splitstest.Faults{}, done: make(chan struct{})}
	cfg := splits.Config{
		Group:   m.faults.Group(w.store.Group("orders", "g")),
		Leases:  m.faults.Leases(w.store.Leases("g")),
		Streams: m.faults.Streams(w.store.Streams()),
		Adoptions: m.faults.Adoptions(
			w.store.Adoptions("g"),
		),
		Member:    name,
		TTL:       ttl,
		Heartbeat: heartbeat,
		Observer:  m,
		OrderKey:  func(e splits.Entry) string { return field(e, "rafka_key") },
	}
	for _, c := range change {
		c(&cfg, m)
	}
	m.Consumer = splits.NewConsumer(cfg)
	m.Start()
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go m.pipeline(ctx) // ends with stop or crash
	w.t.Cleanup(m.stop)
	return m
}

func (m *member) pipeline(ctx context.Context) {
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

func field(e splits.Entry, name string) string {
	for i := 0; i+1 < len(e.Fields); i += 2 {
		if e.Fields[i] == name {
			return e.Fields[i+1]
		}
	}
	return ""
}

// stop ends polling and closes the member.
func (m *member) stop() {
	m.cancel()
	<-m.done
	if m.crashed {
		_ = m.Close(context.Background())
		return
	}
	assert.NoError(m.w.t, m.Close(context.Background()))
}

// stopGracefully stops as Benthos does: after all batches in flight have been acknowledged.
func (m *member) stopGracefully() {
	m.cancel()
	m.out.Wait()
	m.stop()
}

// crash cuts off the member permanently, whatever it is doing.
func (m *member) crash() {
	m.crashed = true
	m.faults.Outage(true)
	m.cancel()
	<-m.done
}

// wantOnce checks that the members together received every entry of every split exactly once, and
// the entries of each split in order.
func (w *world) wantOnce(perSplit int, members ...*member) {
	w.t.Helper()
	var all []delivery
	for _, m := range members {
		all = append(all, m.deliveries()...)
	}
	slices.SortStableFunc(all, func(a, b delivery) int { return a.at.Compare(b.at) })
	got := map[int][]string{}
	for _, d := range all {
		got[d.split.Partition] = append(got[d.split.Partition], d.number)
	}
	for _, s := range w.store.Splits("orders") {
		assert.Equal(w.t, strings.Join(numbers(perSplit), " "), strings.Join(got[s.Partition], " "), "split %s", s)
	}
}

func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return all
}

// lease returns the stored lease of a split.
func (w *world) lease(partition int) splitstest.LeaseState {
	l, ok := w.store.Lease("g", w.store.Split("orders", partition))
	require.True(w.t, ok)
	return l
}

// expired returns a context that has ended: a wait with it returns immediately.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

var orderings = map[string]splits.Ordering{
	"partition": splits.ByPartition, "key": splits.ByKey, "none": splits.Unordered,
}

// inEachOrdering runs a test with a world in simulated time for each ordering.
func inEachOrdering(t *testing.T, partitions int, test func(w *world, ordering splits.Ordering)) {
	t.Helper()
	for name, ordering := range orderings {
		t.Run(name, func(t *testing.T) {
			inBubble(t, partitions, func(w *world) { test(w, ordering) })
		})
	}
}

func settle(d time.Duration) { time.Sleep(d); synctest.Wait() }

var errRejected = errors.New("rejected")
