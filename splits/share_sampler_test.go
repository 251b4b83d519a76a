package splits_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// sampled is a sharer that records the latest sample of one split.
type sampled struct {
	*sharer
	last splits.Sample
}

func (s *sampled) Sampled(all []splits.Sample) { s.note(func() { s.last = all[0] }) }

func (s *sampled) sample() (last splits.Sample) {
	s.note(func() { last = s.last })
	return last
}

func TestSharePendingEntriesAreSampled(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(3)
		s, held := &sampled{}, make(chan *splits.Batch, 4)
		w.share("a", func(c *splits.ShareConfig, m *sharer) {
			s.sharer = m
			c.Observer, c.BatchSize, c.SampleEvery = s, 1, time.Second
			m.handle = func(b *splits.Batch) { held <- b }
		})
		settle(time.Minute)
		w.add(3)
		settle(20 * time.Second)
		require.Len(w.t, held, 3+1)
		assert.EqualValues(w.t, 4, s.sample().Pending)
		assert.InDelta(w.t, 80*time.Second, s.sample().LagAge, float64(2*time.Second))
		for range 3 {
			(<-held).Ack()
		}
		settle(2 * time.Second)
		assert.InDelta(w.t, 22*time.Second, s.sample().LagAge, float64(2*time.Second), "of the last entry")
		(<-held).Ack()
		settle(2 * time.Second)
		assert.Zero(w.t, s.sample().LagAge)
		assert.Zero(w.t, s.sample().Pending)
	})
}
