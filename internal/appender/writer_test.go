package appender

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRoundTakesAllReadyPartitionsOfTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.nodes["z"] = "other"
		a := New(Config{Store: s, Producer: "me"})
		var all []*Pending
		for _, key := range []string{"a", "b", "z", "a", "c", "d"} {
			all = append(all, a.Append(to(key), recs(key)))
		}
		synctest.Wait()
		assert.Empty(t, s.rounds, "nothing goes out before Start")
		a.Start()
		a.Start()
		for _, p := range all {
			assert.Nil(t, p.Errs())
		}
		assert.ElementsMatch(t, [][]string{{"a", "d"}, {"b", "c"}, {"z"}}, s.rounds)
		assert.NoError(t, a.Close(t.Context()))
	})
}

func TestRoundIsBoundedAndNoPartitionStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		a := New(Config{Store: s, Producer: "me"})
		var all []*Pending
		for i := range 40 {
			for range 2 {
				all = append(all, a.Append(to(fmt.Sprint(i)), sized(maxAppendBytes)))
			}
		}
		a.Start()
		for _, p := range all {
			assert.Nil(t, p.Errs())
		}
		seen := [writersPerNode]map[string]bool{{}, {}}
		for i, round := range s.rounds {
			assert.LessOrEqual(t, len(round), maxRoundBytes/maxAppendBytes)
			for _, key := range round {
				seen := seen[a.queues[key].writer]
				assert.True(
					t,
					!seen[key] || len(seen) == 40/writersPerNode,
					"round %d: %s is served twice before all others once",
					i,
					key,
				)
				seen[key] = true
			}
		}
		assert.NoError(t, a.Close(t.Context()))
	})
}

func TestNodeGetsTheNextRoundWhileItWorksOnOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.took[""] = time.Second
		a := running(t, Config{Store: s, Producer: "me"})
		var all []*Pending
		began := time.Now()
		for i := range 8 {
			all = append(all, a.Append(to(fmt.Sprint(i)), recs("a")))
			synctest.Wait()
		}
		s.mu.Lock()
		assert.Equal(t, [][]string{{"0"}, {"1"}}, s.rounds, "no third round")
		s.mu.Unlock()
		for _, p := range all {
			assert.Nil(t, p.Errs())
		}
		assert.ElementsMatch(t, [][]string{{"0"}, {"1"}, {"2", "4", "6"}, {"3", "5", "7"}}, s.rounds)
		assert.Equal(t, 2*time.Second, time.Since(began))
	})
}

func TestBackOffDoesNotStopOtherPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.took[""] = time.Millisecond
		s.faults("refused", fault{status: Refused}, fault{status: Unknown})
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Hour, -1)})
		refused := a.Append(to("refused"), recs("a"))
		begin := time.Now()
		for range 100 {
			assert.Nil(t, a.Append(to("other"), recs("b")).Errs())
		}
		assert.Less(t, time.Since(begin), time.Second)
		assert.Len(t, s.numbers("refused"), 1, "rounds leave it out")
		assert.Nil(t, refused.Errs())
		assert.Equal(t, 2*time.Hour, time.Since(begin).Round(time.Minute))
	})
}

func TestDeadNodeStopsOnlyItsPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.nodes["d1"], s.nodes["d2"], s.nodes["w"] = "dead", "dead", "other"
		s.dead["dead"], s.took["dead"], s.took["other"] = true, time.Minute, time.Millisecond
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
		d1, d2 := a.Append(to("d1"), recs("a")), a.Append(to("d2"), recs("b"))
		begin := time.Now()
		for range 100 {
			assert.Nil(t, a.Append(to("w"), recs("c")).Errs())
		}
		assert.Less(t, time.Since(begin), time.Second)
		<-d1.Stalled()
		s.mu.Lock()
		s.dead["dead"] = false
		s.mu.Unlock()
		assert.Nil(t, d1.Errs())
		assert.Nil(t, d2.Errs())
	})
}

func TestMovedPartitionContinuesOnItsNewNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.nodes["p"], s.nodes["q"] = "old", "old"
		s.dead["old"], s.took["old"] = true, time.Minute
		a := New(Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
		a.Append(to("q"), recs("z"))
		first := a.Append(to("p"), recs("a"))
		a.Start()
		synctest.Wait()
		s.mu.Lock()
		s.nodes["p"] = "new"
		s.mu.Unlock()
		begin := time.Now()
		assert.Nil(t, first.Errs())
		assert.Equal(t, time.Minute+time.Second, time.Since(begin))
		assert.Nil(t, a.Append(to("p"), recs("b")).Errs())
		assert.Equal(t, []string{"a", "b"}, s.entries("p"))
		assert.Equal(t, []string{"1:1", "1:1", "1:2"}, s.numbers("p"))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.Error(t, a.Close(ctx), "the other partition is still in flight")
		assert.ElementsMatch(t, [][]string{{"q"}, {"q"}, {"p"}, {"p"}, {"p"}}, s.rounds)
	})
}

func TestMissingResultIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, seen := newStore(t), &observed{}
		s.short = true
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1), Observer: seen})
		p := a.Append(to("p"), recs("a"))
		<-p.Stalled()
		s.mu.Lock()
		s.short = false
		s.mu.Unlock()
		assert.Nil(t, p.Errs())
		assert.Equal(t, []string{"a"}, s.entries("p"))
	})
}

// RetriesEnded is called for every append that was sent more than once, even if it was given up,
// and for no other append. The caller of Append has the outcome after that.
func TestEndOfRetriesIsReported(t *testing.T) {
	for name, test := range map[string]struct {
		faults []fault
		errs   []error
	}{
		"written immediately":       {nil, nil},
		"failed immediately":        {[]fault{{status: Failed}}, nil},
		"written in the end":        {[]fault{{status: Refused}, {status: Unknown}}, []error{nil}},
		"refused to the end":        {slices.Repeat([]fault{{status: Refused}}, 3), []error{errLoading}},
		"failed in the end":         {[]fault{{status: Refused}, {status: Failed}}, []error{errType}},
		"sent again in a new epoch": {[]fault{{foreign: 7}}, []error{nil}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, seen := newStore(t), &observed{}
				s.faults("p", test.faults...)
				a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, 2), Observer: seen})
				appended := make(chan *Pending, 1)
				seen.atEnd = func() {
					select {
					case <-(<-appended).Done():
						assert.Fail(t, "the caller has the outcome before the observer")
					default:
					}
				}
				p := a.Append(to("p"), recs("a"))
				appended <- p
				<-p.Done()
				require.Len(t, seen.retriesEnded, len(test.errs))
				for i, err := range test.errs {
					assert.ErrorIs(t, seen.retriesEnded[i], err)
				}
			})
		})
	}
}

func TestWriterEndsWhenNothingIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		a := running(t, Config{Store: s, Producer: "me"})
		for range 3 {
			assert.Nil(t, a.Append(to("p"), recs("a")).Errs())
			synctest.Wait()
			assert.False(t, a.writers[writerKey{}].running)
		}
	})
}
