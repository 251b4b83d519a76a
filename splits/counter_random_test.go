package splits_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// Whatever is appended, trimmed and deleted while a member reads that started in the middle: its
// lag is never too low, and correct if it is exact. A committed count is never higher than the
// number of entries that were read or removed: that would look like a rollback.
func TestCountsOfAStreamThatChangesAreNeverWrong(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(
			t,
			func(t *testing.T) { playCounts(t, rand.New(rand.NewPCG(seed, 3)), fmt.Sprint("seed ", seed)) },
		)
	}
}

func playCounts(t *testing.T, random *rand.Rand, name string) {
	w := newWorld(t, 1)
	split := w.store.Split("orders", 0)
	n := 1 + random.IntN(400)
	offsets, start := w.begin(n, random.IntN(n))
	pause := time.Duration(random.IntN(900)) * 1001 * time.Microsecond
	trims, deletes := random.IntN(2) == 0, random.IntN(2) == 0
	judge := &lagJudge{t: t, w: w, name: name, deletes: deletes}
	m := w.join("a", func(c *splits.Config, m *member) {
		c.Start, c.BatchSize, c.SplitBuffer, c.Observer = start, 1+random.IntN(20), 1+random.IntN(5000), judge

		m.handle = func(b *splits.Batch) {
			time.Sleep(pause)
			judge.acknowledge(b)
		}
	})
	for range 60 {
		time.Sleep(time.Duration(random.IntN(1000))*time.Millisecond + 333*time.Microsecond)
		switch entries := w.store.Entries(split); {
		case random.IntN(2) == 0:
			for range random.IntN(30) {
				offsets = append(offsets, w.store.Append(split, "body", "x"))
			}
		case trims && random.IntN(3) == 0:
			w.store.TrimTo(split, random.IntN(len(entries)+1))
		case deletes && random.IntN(2) == 0 && len(entries) > 0:
			w.store.Delete(split, entries[random.IntN(len(entries))].Offset)
		}
		if lease, ok := w.store.Lease("g", split); ok && lease.Position.EntriesRead >= 0 {
			requireCount(t, name, lease.Position, offsets, w.store.Entries(split))
		}
	}
	m.stop()
	for _, l := range judge.losses {
		require.False(t, l.Recreated, name)
	}
}

// requireCount checks a committed count against the entries that were added and that exist.
func requireCount(t *testing.T, name string, at splits.Position, added []splits.Offset, there []splits.Entry) {
	t.Helper()
	upTo, behind, thereBehind := int64(0), int64(0), int64(0)
	for _, o := range added {
		if o.Compare(at.Offset) <= 0 {
			upTo++
		} else {
			behind++
		}
	}
	for _, e := range there {
		if at.Offset.Before(e.Offset) {
			thereBehind++
		}
	}
	require.LessOrEqual(t, at.EntriesRead, upTo+behind-thereBehind, name)
	if len(there) == len(added) {
		require.Equal(t, upTo, at.EntriesRead, name)
	}
}

// lagJudge compares every sample with the store.
type lagJudge struct {
	splits.NopObserver
	t      *testing.T
	w      *world
	name   string
	mu     sync.Mutex
	acked  splits.Offset
	losses []splits.Loss

	deletes bool
}

func (j *lagJudge) acknowledge(b *splits.Batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.acked = b.Entries[len(b.Entries)-1].Offset
	b.Ack()
}

func (j *lagJudge) Lost(all []splits.Loss) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.losses = append(j.losses, all...)
}

func (j *lagJudge) Sampled(samples []splits.Sample) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range samples {
		at := j.acked
		if at == (splits.Offset{}) {
			at = j.w.lease(0).Position.Offset
		}
		truth := int64(0)
		for _, e := range j.w.store.Entries(s.Split) {
			if at.Before(e.Offset) {
				truth++
			}
		}
		assert.GreaterOrEqual(j.t, s.Lag, truth, j.name)
		// A deleted entry that was not read is found only at the end of the stream.
		if s.LagExact && !j.deletes {
			assert.Equal(j.t, truth, s.Lag, j.name)
		}
	}
}
