package splits_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// fill appends n entries with one key to each split; their field n counts from the number of
// entries that are there.
func (w *world) fill(n int) {
	for _, s := range w.store.Splits("orders") {
		for i := range n {
			w.store.Append(s, "n", strconv.Itoa(i), "rafka_key", s.ID())
		}
	}
}

// delivery is one entry as a member got it.
type delivery struct {
	split      splits.Split
	offset     splits.Offset
	number     string
	deliveries int
	at         time.Time
}

// member is a Consumer with a pipeline behind it that records what it gets.
type member struct {
	*splits.Consumer
	splits.NopObserver
	w      *world
	faults *splitstest.Faults
	// handle resolves a batch; nil acknowledges at once.
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
	causes     []error // of troubles
	recoveries int
	samples    []splits.Sample
	rebalances []splits.Rebalance
	stalled    int
	skipped    int
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
func (m *member) Available(splits.Part)     { m.note(func() { m.recoveries++ }) }
func (m *member) Sampled(s []splits.Sample) { m.note(func() { m.samples = s }) }
func (m *member) Rebalanced(r splits.Rebalance) {
	m.note(func() { m.rebalances = append(m.rebalances, r) })
}
func (m *member) Stalled(time.Duration)         { m.note(func() { m.stalled++ }) }
func (m *member) Skipped(_ splits.Split, n int) { m.note(func() { m.skipped += n }) }
func (m *member) note(f func())                 { m.mu.Lock(); defer m.mu.Unlock(); f() }
func see[T any](m *member, f func() T) T        { m.mu.Lock(); defer m.mu.Unlock(); return f() }
func (m *member) deliveries() []delivery {
	return see(m, func() []delivery { return slices.Clone(m.got) })
}
func (m *member) count() int { return see(m, func() int { return len(m.got) }) }

// join starts a member; change may alter its configuration and its pipeline before that.
func (w *world) join(name string, change ...func(*splits.Config, *member)) *member {
	m := &member{w: w, faults: &splitstest.Faults{}, done: make(chan struct{})}
	cfg := splits.Config{
		Group: m.faults.Group(w.store.Group("orders", "g")), Leases: m.faults.Leases(w.store.Leases("g")),
		Streams: m.faults.Streams(w.store.Streams()), Member: name, TTL: ttl, Heartbeat: heartbeat, Observer: m,
		OrderKey: func(e splits.Entry) string { return field(e, "rafka_key") },
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

// stop polls no more and closes.
func (m *member) stop() {
	m.cancel()
	<-m.done
	if m.crashed {
		_ = m.Close(context.Background())
		return
	}
	assert.NoError(m.w.t, m.Close(context.Background()))
}

// stopGracefully stops as Benthos does: once what is out has been acknowledged.
func (m *member) stopGracefully() {
	m.cancel()
	m.out.Wait()
	m.stop()
}

// crash cuts the member off for good, in the middle of whatever it does.
func (m *member) crash() {
	m.crashed = true
	m.faults.Outage(true)
	m.cancel()
	<-m.done
}

// wantOnce checks that the members together got every entry of every split exactly once, and each
// split's in order.
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

// lease is what the store has of a split.
func (w *world) lease(partition int) splitstest.LeaseState {
	l, ok := w.store.Lease("g", w.store.Split("orders", partition))
	require.True(w.t, ok)
	return l
}

// expired is a context that has ended: what waits with it only looks.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func settle(d time.Duration) { time.Sleep(d); synctest.Wait() }

func TestOneMemberReadsEverythingInOrderAndCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		w.fill(100)
		m := w.join("a")
		settle(3 * time.Second)
		w.wantOnce(100, m)
		for p := range 8 {
			assert.EqualValues(t, 100, w.lease(p).Position.EntriesRead)
		}
	})
}

func TestAPlainTopicHasOneSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		m := w.join("a")
		settle(time.Second)
		w.fill(3)
		settle(time.Second)
		w.wantOnce(3, m)
		assert.Equal(t, "orders", m.deliveries()[0].split.Key)
	})
}

func TestMembersShareSplitsAndHandThemOverWithoutDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		slow := func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) { m.out.Go(func() { time.Sleep(70 * time.Millisecond); b.Ack() }) }
		}
		a := w.join("a", slow)
		total := 0
		produce := func(d time.Duration) {
			for range int(d / (10 * time.Millisecond)) {
				for _, s := range w.store.Splits("orders") {
					w.store.Append(s, "n", strconv.Itoa(total))
				}
				total++
				time.Sleep(10 * time.Millisecond)
			}
		}
		produce(2 * time.Second)
		b, c, d := w.join("b", slow), w.join("c", slow), w.join("d", slow)
		produce(3 * time.Second)
		for _, m := range []*member{a, b, c, d} {
			assert.Equal(t, 2, m.Owned())
		}
		b.stopGracefully()
		c.stopGracefully()
		d.stopGracefully()
		produce(2 * time.Second)
		settle(time.Second)
		assert.Equal(t, 8, a.Owned())
		w.wantOnce(total, a, b, c, d)
	})
}

func TestAnIdleMemberIsHandedSplitsWithinABlinkOnceThereIsNothingInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.join("a")
		settle(5 * time.Second)
		b := w.join("b")
		settle(250 * time.Millisecond)
		assert.Equal(t, 2, b.Owned())
	})
}

func TestSplitsOfACrashedMemberAreReadOnFromTheLastCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(10)
		a, b := w.join("a"), w.join("b")
		settle(5 * time.Second)
		b.handle = func(*splits.Batch) {} // takes and never resolves
		for _, s := range w.store.Splits("orders") {
			w.store.Append(s, "n", "10")
		}
		settle(50 * time.Millisecond)
		held := b.Owned()
		require.Equal(t, 2, held)
		b.crash()
		crashed := time.Now()
		settle(ttl + time.Second)
		assert.Equal(t, 4, a.Owned())
		again := 0
		for _, d := range a.deliveries() {
			if d.at.After(crashed) {
				again++
				assert.Equal(t, "10", d.number, "only what was not committed comes again")
				assert.Less(t, d.at.Sub(crashed), ttl+time.Second)
			}
		}
		assert.Equal(t, held, again)
	})
}

func TestAMemberThatWasCutOffBeyondItsLeaseHandsOutNothingItHadBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		gate := make(chan struct{})
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) { go func() { <-gate; b.Ack() }() }
		})
		w.fill(10)
		settle(time.Second)
		require.Equal(t, 1, a.count(), "nine are buffered behind the first")
		a.faults.Outage(true)
		b := w.join("b")
		settle(2 * ttl)
		w.wantOnce(10, b)
		close(gate)
		settle(time.Second)
		assert.Equal(t, 1, a.count(), "a's buffer is void")
		assert.Contains(t, see(a, func() []error { return a.fenced }), splits.ErrExpired)
		assert.Equal(t, "b", w.lease(0).Owner)
		a.faults.Outage(false)
		settle(2 * ttl)
		assert.NoError(t, a.Await(expired(t)), "a member with nothing to read is not in trouble")
		b.stop()
		w.fill(1)
		settle(time.Second)
		assert.Equal(t, 2, a.count(), "a has rejoined by itself")
	})
}

// Timers fire late in a process that was paused: what counts is the clock at the moment of the
// hand-out.
func TestALeaseIsCheckedAtTheHandOutAndNotOnlyByTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		var pause atomic.Int64
		first := make(chan *splits.Batch, 1)
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 1
			c.Now = func() time.Time { return time.Now().Add(time.Duration(pause.Load())) }
			m.handle = func(b *splits.Batch) { first <- b }
		})
		settle(time.Second)
		require.Equal(t, 1, a.count())
		release := a.faults.Hold(splitstest.Claim) // or it would have the split back at once
		defer release()
		pause.Store(int64(2 * ttl))
		(<-first).Ack()
		synctest.Wait() // no time passes: no timer fires
		assert.Equal(t, 1, a.count(), "the second entry is ready, and its lease is over")
	})
}

func TestAnOutageShorterThanTheSessionCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(5)
		a, b := w.join("a"), w.join("b")
		settle(5 * time.Second)
		a.faults.Outage(true)
		b.faults.Outage(true)
		settle(4 * time.Second)
		for _, s := range w.store.Splits("orders") {
			w.store.Append(s, "n", "5")
		}
		a.faults.Outage(false)
		b.faults.Outage(false)
		settle(5 * time.Second)
		w.wantOnce(6, a, b)
		assert.Empty(t, a.fenced)
		assert.Len(t, a.troubles, 1, "one line for one outage")
		assert.Equal(t, 1, a.recoveries)
		var away *splits.UnavailableError
		require.NotEmpty(t, a.errs)
		assert.ErrorAs(t, a.errs[0], &away)
	})
}

func TestAnOutageOfTheWholeStoreBeyondTheSessionIsRecoveredFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(5)
		a, b := w.join("a"), w.join("b")
		settle(5 * time.Second)
		a.faults.Outage(true)
		b.faults.Outage(true)
		settle(5 * ttl)
		w.fill(1)
		a.faults.Outage(false)
		b.faults.Outage(false)
		settle(4 * time.Second)
		assert.Equal(t, 2, a.Owned())
		assert.Equal(t, 2, b.Owned())
		assert.Equal(t, 4*6, a.count()+b.count(), "everything was committed before: nothing comes again")
	})
}

func TestTheRepliesOfCommitsMayBeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a := w.join("a")
		a.faults.Next(
			splitstest.Commit,
			splitstest.Fault{Lose: splitstest.ErrOutage},
			splitstest.Fault{Lose: splitstest.ErrOutage},
		)
		a.faults.Next(splitstest.Claim, splitstest.Fault{Lose: splitstest.ErrOutage})
		w.fill(10)
		settle(ttl)
		w.wantOnce(10, a)
		assert.EqualValues(t, 10, w.lease(0).Position.EntriesRead)
	})
}

// Reads may fail for longer than everything else: after a failover each client finds the new master
// by itself. Whatever the back-off had come to by then, entries flow within a heartbeat.
func TestReadsGoOnSoonAfterTheyAreMended(t *testing.T) {
	for name, outage := range map[string]func(m *member){
		"they alone failed": func(*member) { settle(3 * ttl) },
		"others came back one by one": func(m *member) {
			for range 8 {
				for _, method := range []splitstest.Method{splitstest.Beat, splitstest.State} {
					m.faults.Next(method, splitstest.Fault{Fail: splitstest.ErrOutage})
				}
				settle(heartbeat)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2)
				m := w.join("a", func(c *splits.Config, _ *member) { c.SampleEvery = heartbeat / 2 })
				settle(time.Second)
				m.faults.Set(splitstest.Fetch, splitstest.Fault{Fail: splitstest.ErrOutage})
				outage(m)
				m.faults.Set(splitstest.Fetch, splitstest.Fault{})
				w.fill(10)
				settle(heartbeat)
				w.wantOnce(10, m)
			})
		})
	}
}

var errRejected = errors.New("rejected")

func TestARejectedBatchComesAgainBeforeAnythingNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		for i, key := range []string{"x", "y", "x", "", "y", "x"} {
			w.store.Append(s, "n", strconv.Itoa(i), "rafka_key", key)
		}
		nacked := false
		m := w.join("a", func(c *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) {
				if !nacked {
					nacked = true
					w.store.Append(s, "n", "6", "rafka_key", "z")
					b.Nack(errRejected, []int{0, 3})
					return
				}
				b.Ack()
			}
		})
		settle(time.Second)
		var order []string
		for _, d := range m.deliveries() {
			order = append(order, fmt.Sprintf("%s/%d", d.number, d.deliveries))
		}
		assert.Equal(
			t,
			[]string{"0/1", "1/1", "2/1", "3/1", "4/1", "5/1", "0/2", "1/2", "2/2", "3/2", "4/2", "5/2", "6/1"},
			order,
		)
	})
}

func TestACommitNeverPassesANackedEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.Unordered = true
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) {
				if field(b.Entries[0], "n") == "3" {
					b.Nack(errRejected, nil)
					return
				}
				b.Ack()
			}
		})
		settle(5 * time.Second)
		assert.EqualValues(t, 3, w.lease(0).Position.EntriesRead)
		assert.GreaterOrEqual(t, m.count(), 10+2, "the nacked one comes again and again")
		assert.Less(t, m.count(), 10+20, "but not in a busy loop")
	})
}

// Of several replays that wait, only the first used to be looked at again.
func TestUnorderedHandsOutEveryNackedEntryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.Unordered, c.BatchSize = true, 1
			m.handle = func(b *splits.Batch) {
				if b.Deliveries == 1 {
					n, _ := strconv.Atoi(field(b.Entries[0], "n"))
					m.out.Go(func() { time.Sleep(time.Duration(n) * 3 * time.Millisecond); b.Nack(errRejected, nil) })
					return
				}
				m.out.Go(func() { time.Sleep(time.Hour); b.Ack() })
			}
		})
		settle(time.Minute)
		assert.Equal(t, 2*5, m.count(), "all come again though none of the first to do so is acknowledged")
		m.stopGracefully()
	})
}

func TestSkippedNacksAreCountedAndPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(4)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.SkipNacked = true
			m.handle = func(b *splits.Batch) { b.Nack(errRejected, []int{1}) }
		})
		settle(3 * time.Second)
		w.wantOnce(4, m)
		assert.Equal(t, 4, m.skipped, "which of a batch failed is not known")
		assert.EqualValues(t, 4, w.lease(0).Position.EntriesRead)
	})
}

func TestOrderedHasOneBatchPerSplitInFlightUnorderedUpToItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.fill(100)
		hold := func(c *splits.Config, m *member) { c.BatchSize = 5; m.handle = func(*splits.Batch) {} }
		a := w.join("a", hold)
		settle(time.Second)
		assert.Equal(t, 2*5, a.count())
		a.crash()
		b := w.join("b", hold, func(c *splits.Config, _ *member) { c.Unordered, c.CheckpointLimit = true, 35 })
		settle(2 * ttl)
		assert.Equal(t, 2*35, b.count())
	})
}

func TestABlockedPipelineKeepsItsLeasesAndIsWarnedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.fill(100)
		gate := make(chan struct{})
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 5
			m.handle = func(b *splits.Batch) { go func() { <-gate; b.Ack() }() }
		})
		settle(time.Hour)
		assert.Equal(t, 2*5, a.count())
		assert.Equal(t, 1, a.stalled)
		assert.Empty(t, a.fenced)
		close(gate)
		settle(time.Second)
		w.wantOnce(100, a)
	})
}

func TestBuffersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		for _, s := range w.store.Splits("orders") {
			for range 200 {
				w.store.Append(s, "n", string(make([]byte, 1000)))
			}
		}
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize, c.SplitBuffer, c.FetchMax = 1, 20_000, 40_000
			m.handle = func(*splits.Batch) {}
		})
		settle(time.Minute)
		assert.LessOrEqual(t, splits.Buffered(a.Consumer), 40_000+4*16*1200, "no more than one read beyond the bound")
		assert.Positive(t, splits.Buffered(a.Consumer))
	})
}

func TestSplitsOfAGrownTopicAreReadFromTheirFirstEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.fill(5)
		a := w.join("a", func(c *splits.Config, _ *member) { c.Start = splits.Latest() })
		settle(time.Second)
		assert.Zero(t, a.count())
		w.store.SetPartitions("orders", 4)
		w.fill(1)
		settle(2 * heartbeat)
		assert.Equal(t, 4, a.count())
		assert.Equal(t, 4, a.Owned())
	})
}

func TestAStreamThatWentBackIsReadFromItsBeginningUnderANewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a := w.join("a")
		settle(5 * time.Second)
		epoch := w.lease(0).Epoch
		w.store.Drop(w.store.Split("orders", 0))
		w.store.StepClock(-time.Hour)
		w.fill(3)
		settle(10 * time.Second)
		assert.Equal(t, 5+3, a.count())
		assert.Greater(t, w.lease(0).Epoch, epoch)
		require.Len(t, a.losses, 1)
		assert.True(t, a.losses[0].Recreated)
		assert.EqualValues(t, 3, w.lease(0).Position.EntriesRead)
	})
}

func TestEntriesTrimmedBeforeTheyWereReadAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		w.fill(10)
		a := w.join("a")
		settle(3 * time.Second)
		a.faults.Outage(true)
		settle(time.Second)
		w.fill(20)
		w.store.TrimTo(s, 5)
		a.faults.Outage(false)
		settle(5 * time.Second)
		require.Len(t, a.losses, 1)
		assert.Equal(t, splits.Loss{Split: s, After: a.losses[0].After, Entries: 15, Exact: true}, a.losses[0])
		assert.EqualValues(t, 30, w.lease(0).Position.EntriesRead, "the lost ones are counted as read: the lag is right again")
		assert.Equal(t, 15, a.count())
	})
}

// With large entries the stream is not looked at after every read.
func TestLargeEntriesTrimmedBeforeTheyWereReadAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		a := w.join("a", func(c *splits.Config, m *member) {
			c.SplitBuffer, c.BatchSize = 1, 1
			m.handle = func(b *splits.Batch) { m.out.Go(func() { time.Sleep(time.Second); b.Ack() }) }
		})
		for range 5 { // while entries come all the time, some of them are lost
			w.fillSized(20, 100_000)
			settle(5 * time.Second)
			w.store.TrimTo(s, 3)
		}
		settle(time.Minute)
		var lost int64
		for _, l := range a.losses {
			assert.True(t, l.Exact)
			lost += l.Entries
		}
		assert.Positive(t, lost)
		assert.EqualValues(t, 100, int64(a.count())+lost)
		assert.EqualValues(t, 100, w.lease(0).Position.EntriesRead)
		a.stopGracefully()
	})
}

// The loss is seen with the next read; what was committed before that was counted wrong until
// something newer came.
func TestTheCountIsCorrectedEvenIfTheOffsetWasCommittedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		w.fill(10)
		a := w.join("a", func(cfg *splits.Config, _ *member) { cfg.CommitEvery = time.Millisecond })
		settle(time.Second)
		a.faults.Set(splitstest.Fetch, splitstest.Fault{Delay: 100 * time.Millisecond})
		w.fill(20)
		w.store.TrimTo(s, 5)
		settle(time.Second)
		assert.EqualValues(t, 30, w.lease(0).Position.EntriesRead)
	})
}

func TestFailOnLossStopsTheSplitBeforeAnythingBehindTheGapIsHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		a := w.join("a", func(c *splits.Config, _ *member) { c.FailOnLoss = true })
		settle(3 * time.Second)
		a.faults.Outage(true)
		settle(time.Second)
		w.fill(20)
		w.store.TrimTo(w.store.Split("orders", 0), 5)
		a.faults.Outage(false)
		settle(time.Minute)
		assert.Equal(t, 10, a.count())
		assert.Len(t, a.losses, 1)
		assert.EqualValues(t, 10, w.lease(0).Position.EntriesRead)
	})
}

func TestAfterEverythingWasFlushedMembersGoOnAndReadFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(5)
		latest := func(c *splits.Config, _ *member) { c.Start = splits.Latest() }
		a, b := w.join("a", latest), w.join("b", latest)
		settle(5 * time.Second)
		w.store.FlushAll()
		w.store.SetPartitions("orders", 4)
		w.fill(5)
		settle(ttl)
		assert.Equal(t, 2, a.Owned())
		assert.Equal(t, 2, b.Owned())
		seen := map[string]bool{}
		for _, d := range append(a.deliveries(), b.deliveries()...) {
			seen[d.split.ID()+"/"+d.number] = true
		}
		assert.Len(t, seen, 20)
	})
}

func TestOneUnreadableSplitStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		bad := w.store.Split("orders", 1)
		w.store.Break(bad, errors.New("WRONGTYPE "+bad.Key))
		w.fill(5)
		a := w.join("a")
		settle(2 * time.Second)
		assert.Equal(t, 10, a.count())
		require.Len(t, a.troubles, 1)
		assert.Contains(t, a.troubles[0], bad.Key)
		w.store.Break(bad, nil)
		settle(time.Minute)
		w.wantOnce(5, a)
		assert.Equal(t, 1, a.recoveries)
	})
}

func TestLagIsSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		a := w.join("a", func(c *splits.Config, m *member) { c.BatchSize = 4; m.handle = func(*splits.Batch) {} })
		settle(11 * time.Second)
		require.Len(t, a.samples, 1)
		assert.EqualValues(t, 10, a.samples[0].Lag)
		assert.GreaterOrEqual(t, a.samples[0].LagAge, 10*time.Second)
		assert.GreaterOrEqual(t, a.samples[0].Unacked, 9*time.Second)
	})
}

func TestCloseIsSafeBeforeStartAndTwiceAndWaitsForNoAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(1)
		idle := splits.NewConsumer(splits.Config{})
		require.NoError(t, idle.Close(t.Context()))
		m := w.join("a", func(_ *splits.Config, m *member) { m.handle = func(*splits.Batch) {} })
		settle(time.Second)
		began := time.Now()
		m.stop()
		assert.Less(t, time.Since(began), time.Second)
		require.NoError(t, m.Close(t.Context()))
		assert.Empty(t, w.store.Members("orders", "g"))
		assert.Empty(t, w.lease(0).Owner)
		_, err := m.Poll(t.Context())
		assert.ErrorIs(t, err, splits.ErrClosed)
	})
}

func TestLateAcksAfterCloseCommitNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(3)
		var held *splits.Batch
		m := w.join("a", func(_ *splits.Config, m *member) { m.handle = func(b *splits.Batch) { held = b } })
		settle(time.Second)
		m.stop()
		require.ErrorIs(t, context.Cause(held.Context()), splits.ErrRevoked)
		held.Ack()
		held.Ack()
		settle(5 * time.Second)
		assert.EqualValues(t, 0, w.lease(0).Position.EntriesRead)
	})
}
