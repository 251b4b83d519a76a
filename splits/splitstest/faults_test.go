package splitstest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

var errInjected = errors.New("injected")

// harmed is a store of one plain topic behind faults.
type harmed struct {
	*Store
	Faults
	split  splits.Split
	group  splits.Group
	leases splits.Leases
	log    splits.Streams
}

func harm(t *testing.T, test func(t *testing.T, h *harmed)) {
	t.Helper()
	inBubble(t, func(t *testing.T, store *Store) {
		h := &harmed{Store: store, split: store.Split("orders", 0)}
		h.group, h.leases, h.log = h.Faults.Group(
			store.Group("orders", "g"),
		), h.Faults.Leases(
			store.Leases("g"),
		), h.Faults.Streams(
			store.Streams(),
		)
		test(t, h)
	})
}

func (h *harmed) claim(ctx context.Context) splits.Granted {
	return h.leases.Claim(ctx, "a", ttl, []splits.Claim{{Split: h.split}})[0]
}

func (h *harmed) owner() string {
	state, _ := h.Store.Lease("g", h.split)
	return state.Owner
}

func TestFailedRequestIsNotApplied(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		h.Set(Claim, Fault{Fail: errInjected})
		for range 3 {
			require.ErrorIs(t, h.claim(t.Context()).Err, errInjected)
		}
		assert.Empty(t, h.owner())
		h.Set(Claim, Fault{})
		require.NoError(t, h.claim(t.Context()).Err)
		assert.Equal(t, Counts{Calls: 4, Failed: 3}, h.Counts(Claim))
	})
}

func TestLostReplyIsThatOfAnAppliedRequest(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		h.Next(Claim, Fault{}, Fault{Lose: errInjected})
		require.NoError(t, h.claim(t.Context()).Err)
		before, _ := h.Store.Lease("g", h.split)
		require.ErrorIs(t, h.claim(t.Context()).Err, errInjected)
		after, _ := h.Store.Lease("g", h.split)
		assert.Greater(t, after.Epoch, before.Epoch)
		require.NoError(t, h.claim(t.Context()).Err)
		assert.Equal(t, Counts{Calls: 3, Lost: 1}, h.Counts(Claim))
	})
}

func TestDelays(t *testing.T) {
	for name, tc := range map[string]struct {
		fault Fault
		owner string // in the middle of the wait
	}{
		"on the way there": {Fault{Delay: 2 * time.Second}, ""},
		"on the way back":  {Fault{DelayReply: 2 * time.Second}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			harm(t, func(t *testing.T, h *harmed) {
				h.Set(Claim, tc.fault)
				start := time.Now()
				done := make(chan error, 1)
				go func() { done <- h.claim(t.Context()).Err }()
				time.Sleep(time.Second)
				assert.Equal(t, tc.owner, h.owner())
				require.NoError(t, <-done)
				assert.Equal(t, 2*time.Second, time.Since(start))
				assert.Equal(t, Counts{Calls: 1, Delayed: 1}, h.Counts(Claim))

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.ErrorIs(t, h.claim(ctx).Err, context.DeadlineExceeded)
			})
		})
	}
}

func TestHeldRequestsWaitForTheirRelease(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		release := h.Hold(Claim)
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- h.claim(t.Context()).Err }()
		}
		time.Sleep(time.Hour)
		assert.Empty(t, h.owner())
		release()
		release()
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		require.NoError(t, h.claim(t.Context()).Err)
		assert.Equal(t, Counts{Calls: 3, Held: 2}, h.Counts(Claim))
	})
}

func TestHeldReplyIsThatOfAnAppliedRequest(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		gate := make(chan struct{})
		h.Next(Claim, Fault{HoldReply: gate})
		done := make(chan error, 1)
		go func() { done <- h.claim(t.Context()).Err }()
		time.Sleep(time.Second)
		assert.Equal(t, "a", h.owner())
		close(gate)
		require.NoError(t, <-done)
	})
}

func TestPausedCallerFindsTheReplyPastItsDeadline(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		gate := make(chan struct{})
		h.Next(Claim, Fault{PauseReply: gate})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- h.claim(ctx).Err }()
		time.Sleep(time.Minute)
		assert.Empty(t, done)
		close(gate)
		require.NoError(t, <-done)
	})
}

// The worst unknown outcome: the caller receives an error, and the request takes effect afterwards.
func TestLateRequestIsAppliedAfterItFailed(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		ctx, cancel := context.WithCancel(t.Context())
		h.Next(Claim, Fault{Fail: errInjected, Late: 3 * time.Second})
		require.ErrorIs(t, h.claim(ctx).Err, errInjected)
		cancel()
		time.Sleep(2 * time.Second)
		assert.Empty(t, h.owner())
		h.Wait()
		assert.Equal(t, "a", h.owner())
		assert.Equal(t, Counts{Calls: 1, Failed: 1, Late: 1}, h.Counts(Claim))
	})
}

func TestWaitIncludesRequestsThatWillBeLate(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		h.Next(Claim, Fault{Delay: time.Second, Fail: errInjected, Late: time.Second})
		go h.claim(t.Context())
		synctest.Wait()
		h.Wait()
		assert.Equal(t, "a", h.owner())
	})
}

func TestHookChoosesWhatNoSettingCovers(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		var seen []Call
		h.Hook(func(call Call) Fault {
			seen = append(seen, call)
			return Fault{Fail: errInjected}
		})
		h.Set(Claim, Fault{Lose: context.Canceled})
		require.ErrorIs(t, h.claim(t.Context()).Err, context.Canceled)
		lease := splits.Lease{Split: h.split, Member: "a", Epoch: 1}
		require.ErrorIs(t, h.leases.Renew(t.Context(), ttl, []splits.Lease{lease})[0], errInjected)
		require.ErrorIs(t, h.leases.Reset(t.Context(), ttl, splits.Commit{Lease: lease}), errInjected)
		h.Hook(nil)
		require.ErrorIs(t, h.leases.Release(t.Context(), []splits.Lease{lease})[0], splits.ErrFenced)
		of := []splits.Split{h.split}
		assert.Equal(t, []Call{{Renew, "a", of}, {Reset, "a", of}}, seen)
	})
}

func TestOutageFailsEveryMethod(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		h.Outage(true)
		ctx := t.Context()
		lease := splits.Lease{Split: h.split}
		_, beat := h.group.Beat(ctx, splits.Beat{Member: "a", TTL: ttl})
		_, propose := h.group.Propose(ctx, splits.Plan{})
		_, fetch := h.log.Fetch(ctx, splits.FetchRequest{})
		_, state := h.log.State(ctx, nil)
		_, count := h.log.Count(ctx, splits.CountRequest{Split: h.split})
		for method, err := range map[Method]error{
			Beat: beat, Propose: propose, Fetch: fetch, State: state, Count: count,
			Leave:   h.group.Leave(ctx, "a"),
			Wake:    h.group.Wake(ctx, func() {}),
			Claim:   h.claim(ctx).Err,
			Commit:  h.leases.Commit(ctx, ttl, []splits.Commit{{Lease: lease}})[0],
			Renew:   h.leases.Renew(ctx, ttl, []splits.Lease{lease})[0],
			Reset:   h.leases.Reset(ctx, ttl, splits.Commit{Lease: lease}),
			Release: h.leases.Release(ctx, []splits.Lease{lease})[0],
		} {
			require.ErrorIs(t, err, ErrOutage, method)
			assert.Equal(t, Counts{Calls: 1, Failed: 1}, h.Counts(method), method)
		}
		h.Outage(false)
		require.NoError(t, h.claim(ctx).Err)
	})
}

func TestOutageMeetsWhatIsUnderWay(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		woken := make(chan error, 1)
		go func() { woken <- h.group.Wake(t.Context(), func() {}) }()
		fetched := make(chan error, 1)
		go func() {
			_, err := h.log.Fetch(
				t.Context(),
				splits.FetchRequest{Cursors: []splits.Cursor{{Split: h.split}}, Block: time.Minute},
			)
			fetched <- err
		}()
		h.Next(Claim, Fault{Delay: 2 * time.Second}, Fault{DelayReply: 2 * time.Second})
		claimed := make(chan error, 2)
		for range 2 {
			go func() { claimed <- h.claim(t.Context()).Err }()
		}
		time.Sleep(time.Second)
		h.Outage(true)
		require.ErrorIs(t, <-woken, ErrOutage)
		require.ErrorIs(t, <-claimed, ErrOutage)
		require.ErrorIs(t, <-claimed, ErrOutage)
		require.ErrorIs(t, <-fetched, ErrOutage)
		assert.Equal(t, "a", h.owner(), "the second claim had been applied")
		assert.Equal(t, Counts{Calls: 2, Delayed: 2, Failed: 1, Lost: 1}, h.Counts(Claim))
	})
}

func TestHintsCanBeLost(t *testing.T) {
	harm(t, func(t *testing.T, h *harmed) {
		ctx, cancel := context.WithCancel(t.Context())
		hints, ended := 0, make(chan error, 1)
		go func() { ended <- h.group.Wake(ctx, func() { hints++ }) }()
		join := func(member string) {
			time.Sleep(time.Second)
			beatOf(t, h.group, member)
			synctest.Wait() // the hint is received before its fault is changed
		}
		join("a")
		h.Set(Hint, Fault{Lose: errInjected})
		join("b")
		join("c")
		h.Set(Hint, Fault{})
		join("d")
		time.Sleep(time.Second)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		assert.Equal(t, 3, hints, "one of them at the beginning")
		assert.Equal(t, Counts{Calls: 5, Lost: 2}, h.Counts(Hint))
	})
}
