package splitstest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

const ttl = 10 * time.Second

// inBubble runs a test of a new store in simulated time.
func inBubble(t *testing.T, test func(t *testing.T, store *Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, NewStore()) })
}

func claimOf(t *testing.T, store *Store, member string, split splits.Split) splits.Granted {
	t.Helper()
	granted := store.Leases("g").Claim(t.Context(), member, ttl, []splits.Claim{{Split: split}})
	require.Len(t, granted, 1)
	return granted[0]
}

func beatOf(t *testing.T, group splits.Group, member string) splits.View {
	t.Helper()
	view, err := group.Beat(t.Context(), splits.Beat{Member: member, TTL: ttl})
	require.NoError(t, err)
	return view
}

func TestLeaseOutlivesAClockStepBackByOneTTLOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, store *Store) {
		split := store.Split("orders", 0)
		first := claimOf(t, store, "a", split)
		store.StepClock(-time.Hour)
		var held *splits.HeldError
		require.ErrorAs(t, claimOf(t, store, "b", split).Err, &held)
		assert.Equal(t, splits.HeldError{Owner: "a", Remaining: ttl}, *held)
		time.Sleep(ttl - time.Millisecond)
		require.ErrorAs(t, claimOf(t, store, "b", split).Err, &held)
		assert.Equal(t, time.Millisecond, held.Remaining)
		time.Sleep(time.Millisecond)
		second := claimOf(t, store, "b", split)
		require.NoError(t, second.Err)
		assert.Equal(t, first.Epoch+1, second.Epoch, "epochs grow even so")
	})
}

func TestLeaseEndsEarlyOnAClockStepAhead(t *testing.T) {
	inBubble(t, func(t *testing.T, store *Store) {
		split := store.Split("orders", 0)
		first := claimOf(t, store, "a", split)
		store.StepClock(time.Hour)
		second := claimOf(t, store, "b", split)
		require.NoError(t, second.Err)
		assert.Equal(t, first.Epoch+uint64(time.Hour/time.Microsecond), second.Epoch)
		assert.Equal(t, 1, second.Attempts)
	})
}

func TestClockStepAheadDropsNoListedMember(t *testing.T) {
	inBubble(t, func(t *testing.T, store *Store) {
		group := store.Group("orders", "g")
		beatOf(t, group, "a")
		joined := beatOf(t, group, "b")
		store.StepClock(time.Hour)
		view := beatOf(t, group, "a")
		assert.Equal(t, joined.Version, view.Version)
		assert.Equal(t, []string{"a", "b"}, view.Members)
		assert.Equal(t, ttl, view.Next)
	})
}

func TestClockStepBackKeepsNoDeadMemberAlive(t *testing.T) {
	for name, next := range map[string]string{"a listed caller": "a", "a newcomer": "c"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store *Store) {
				group := store.Group("orders", "g")
				beatOf(t, group, "a")
				beatOf(t, group, "b")
				store.StepClock(-time.Hour)
				before := beatOf(t, group, next)
				assert.Equal(t, ttl, before.Next)
				time.Sleep(ttl - time.Millisecond)
				beatOf(t, group, next)
				time.Sleep(time.Millisecond)
				view := beatOf(t, group, next)
				assert.Equal(t, []string{next}, view.Members)
				assert.Greater(t, view.Version, before.Version)
			})
		})
	}
}

func TestOffsetsGrowWhenTheClockStepsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, store *Store) {
		split := store.Split("orders", 0)
		first := store.Append(split, "a", "b")
		store.StepClock(-time.Hour)
		assert.Equal(t, splits.Offset{Millis: first.Millis, Seq: 1}, store.Append(split, "a", "b"))
	})
}

func TestAppendAtRefusesOffsetsThatAreNotNew(t *testing.T) {
	store := NewStore()
	split := store.Split("orders", 0)
	assert.True(t, store.AppendAt(split, splits.Offset{Millis: 5, Seq: 1}))
	assert.False(t, store.AppendAt(split, splits.Offset{Millis: 5, Seq: 1}))
	assert.False(t, store.AppendAt(split, splits.Offset{Millis: 4, Seq: 9}))
	assert.True(t, store.AppendAt(split, splits.Offset{Millis: 5, Seq: 2}))
	store.TrimBefore(split, splits.Offset{Millis: 5, Seq: 2})
	states, err := store.Streams().State(t.Context(), []splits.Split{split})
	require.NoError(t, err)
	last := splits.Offset{Millis: 5, Seq: 2}
	assert.Equal(t, []splits.State{{Exists: true, Length: 1, First: last, Last: last, EntriesAdded: 2}}, states)
}

func TestRestoreTakesEverythingBack(t *testing.T) {
	inBubble(t, func(t *testing.T, store *Store) {
		store.SetPartitions("orders", 1)
		split, group := store.Split("orders", 0), store.Group("orders", "g")
		store.Append(split, "n", "1")
		old := claimOf(t, store, "a", split)
		version := beatOf(t, group, "a").Version
		snapshot := store.Snapshot()

		store.Append(split, "n", "2")
		store.Delete(split, splits.Offset{})
		newer := claimOf(t, store, "a", split)
		beatOf(t, group, "b")
		store.SetPartitions("orders", 2)
		for range 2 { // a snapshot can be restored twice
			store.Restore(snapshot)
			state, stored := store.Lease("g", split)
			require.True(t, stored)
			assert.Equal(t, old.Epoch, state.Epoch)
			assert.Equal(t, []string{"a"}, store.Members("orders", "g"))
			assert.Equal(t, version, store.Version("orders", "g"))
			assert.Len(t, store.Splits("orders"), 1)
			fetched, err := store.Streams().Fetch(
				t.Context(),
				splits.FetchRequest{Cursors: []splits.Cursor{{Split: split}}},
			)
			require.NoError(t, err)
			assert.Len(t, fetched[0].Entries, 1)
			store.Append(split, "n", "3")
		}
		time.Sleep(5 * time.Millisecond)
		assert.Greater(t, claimOf(t, store, "a", split).Epoch, newer.Epoch, "the lost epoch is not granted again")
	})
}

// A regression: a commit in flight during a rollback of the store was accepted under the new lease.
func TestEpochThatWasRolledBackDoesNotComeAgain(t *testing.T) {
	for name, step := range map[string]time.Duration{
		"in the same millisecond": 0, "while the clock is behind": -time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store *Store) {
				store.SetPartitions("orders", 1)
				split := store.Splits("orders")[0]
				claimOf(t, store, "a", split)
				store.StepClock(step)
				time.Sleep(time.Microsecond)
				snapshot := store.Snapshot()
				lost := claimOf(t, store, "a", split)
				store.RestoreSplit(snapshot, split)
				time.Sleep(time.Microsecond)
				assert.NotEqual(t, lost.Epoch, claimOf(t, store, "a", split).Epoch)
			})
		})
	}
}

// A regression: a group that was rolled back got a version again that had been used in the same
// millisecond, or while its clock was behind. Then a plan for the lost members was stored for the
// new ones.
func TestVersionThatWasRolledBackDoesNotComeAgain(t *testing.T) {
	for name, step := range map[string]time.Duration{
		"in the same millisecond": 0, "while the clock is behind": -time.Hour,
	} {
		t.Run(name, func(t *testing.T) { testVersionDoesNotComeAgain(t, step) })
	}
}

func testVersionDoesNotComeAgain(t *testing.T, step time.Duration) {
	inBubble(t, func(t *testing.T, store *Store) {
		store.SetPartitions("orders", 1)
		group := store.Group("orders", "g")
		beatOf(t, group, "before")
		store.StepClock(step)
		time.Sleep(time.Microsecond)
		snapshot := store.Snapshot()
		lost := beatOf(t, group, "a")
		store.RestoreTopic(snapshot, "orders")
		time.Sleep(time.Microsecond)
		beatOf(t, group, "b")
		stored, err := group.Propose(
			t.Context(),
			splits.Plan{Version: lost.Version, Assignments: map[string][]int{"a": {0}}},
		)
		require.NoError(t, err)
		assert.False(t, stored, "a plan for members that are lost")
	})
}

func TestLooksIntoTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T, store *Store) {
		split, group := store.Split("orders", 0), store.Group("orders", "g")
		_, stored := store.Lease("g", split)
		assert.False(t, stored)
		assert.Zero(t, store.Version("orders", "g"))
		assert.Empty(t, store.Members("orders", "g"))
		assert.Zero(t, store.Plan("orders", "g"))

		view := beatOf(t, group, "a")
		plan := splits.Plan{Version: view.Version, Assignments: map[string][]int{"a": {0}}}
		_, err := group.Propose(t.Context(), plan)
		require.NoError(t, err)
		assert.Equal(t, plan, store.Plan("orders", "g"))
		granted := claimOf(t, store, "a", split)
		state, _ := store.Lease("g", split)
		assert.Equal(t, LeaseState{Owner: "a", Epoch: granted.Epoch, Remaining: ttl}, state)

		store.DropLease("g", split)
		_, stored = store.Lease("g", split)
		assert.False(t, stored)
	})
}

// A member that blocks must not keep a simulated clock from advancing, and must not miss what comes
// while it waits.
func TestBlockedFetchEndsTheMomentDataComes(t *testing.T) {
	inBubble(t, func(t *testing.T, store *Store) {
		split := store.Split("orders", 0)
		request := splits.FetchRequest{Cursors: []splits.Cursor{{Split: split}}, Count: 1, Block: time.Minute}
		start := time.Now()
		go func() {
			time.Sleep(7 * time.Second)
			store.Append(split, "a", "b")
		}()
		fetched, err := store.Streams().Fetch(t.Context(), request)
		require.NoError(t, err)
		assert.Len(t, fetched[0].Entries, 1)
		assert.Equal(t, 7*time.Second, time.Since(start))

		request.Cursors[0].After = fetched[0].Entries[0].Offset
		fetched, err = store.Streams().Fetch(t.Context(), request)
		require.NoError(t, err)
		assert.Empty(t, fetched[0].Entries)
		assert.Equal(t, 67*time.Second, time.Since(start))
		assert.Empty(t, store.readers[split.Key], "nothing is left of reads that ended")
	})
}

func TestBrokenSplitCanBeRepaired(t *testing.T) {
	store := NewStore()
	split, broken := store.Split("orders", 0), errors.New("broken")
	store.Append(split, "a", "b")
	store.Break(split, broken)
	request := splits.FetchRequest{Cursors: []splits.Cursor{{Split: split, Inspect: true}}, Block: time.Hour}
	fetched, err := store.Streams().Fetch(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, []splits.Fetched{{State: &splits.State{Err: broken}, Err: broken}}, fetched)
	require.ErrorIs(t, claimOf(t, store, "a", split).Err, broken)
	store.Break(split, nil)
	fetched, err = store.Streams().Fetch(t.Context(), request)
	require.NoError(t, err)
	assert.Len(t, fetched[0].Entries, 1)
}
