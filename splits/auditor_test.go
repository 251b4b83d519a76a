package splits_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// audited lets the member sample its streams ten times a second, and commit late, so that a test
// notices what is read again.
func audited(c *splits.Config, _ *member) {
	c.SampleEvery, c.CommitEvery = 100*time.Millisecond, 5*time.Second
}

// A regression: the auditor read the state while the stream was gone, and handled it only after
// entries of the new stream had been read and checked. One stream was reported as recreated twice,
// and these entries were delivered twice.
func TestStaleStateDoesNotEndASplitThatHasReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a := w.join("a", audited)
		settle(20 * time.Second) // everything is committed
		looked := make(chan struct{})
		a.faults.Next(splitstest.State, splitstest.Fault{PauseReply: looked})
		w.store.Drop(w.only())
		settle(200 * time.Millisecond)
		require.Empty(t, a.lostAll(), "the answer is on its way")
		w.note("new")
		settle(time.Second)
		require.Equal(t, []string{"new"}, a.texts()[5:])
		require.Len(t, a.lostAll(), 1, "the next read shows it")
		close(looked)
		w.wantNewStreamReadOnce(t, a)
	})
}

// wantNewStreamReadOnce adds an entry to a stream that was recreated after five entries. It
// requires that all entries of the new stream come once, under the same lease, and that the loss is
// reported once.
func (w *world) wantNewStreamReadOnce(t *testing.T, a *member) {
	t.Helper()
	settle(20 * time.Second)
	w.note("newer")
	settle(20 * time.Second)
	assert.Equal(t, []string{"new", "newer"}, a.texts()[5:])
	assert.Len(t, a.lostAll(), 1)
	assert.Empty(t, see(a, func() []error { return a.fenced }))
	assert.EqualValues(t, 2, w.lease(0).Position.EntriesRead)
}

// joinBlind joins a member whose reads are not checked while log.on is set.
func (w *world) joinBlind() (*member, *blind) {
	var log *blind
	a := w.join("a", audited, func(c *splits.Config, _ *member) {
		log = &blind{Streams: c.Streams}
		c.Streams = log
	})
	settle(20 * time.Second)
	return a, log
}

// A regression: the auditor saw a stream whose first entries had been read and not checked yet. The
// stream had no skipped entry, and these entries were delivered twice.
func TestAuditorLeavesUncheckedReadsToTheNextRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a, log := w.joinBlind()
		log.on.Store(true) // no read is checked
		w.store.Drop(w.only())
		w.note("new")
		settle(time.Second)
		require.Equal(t, []string{"new"}, a.texts()[5:])
		log.on.Store(false)
		w.wantNewStreamReadOnce(t, a)
	})
}

// Entries of the stream before the first one that was read are still found.
func TestAuditorFindsLowerOffsetsOfARecreatedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a, log := w.joinBlind()
		log.on.Store(true)
		w.store.Drop(w.only())
		require.True(t, w.store.AppendAt(w.only(), splits.Offset{Millis: 5}, "n", "low"))
		w.note("high")
		settle(20 * time.Second)
		assert.Equal(t, []string{"high", "low", "high"}, a.texts()[5:], "while no read is judged")
		assert.Len(t, a.lostAll(), 1)
	})
}
