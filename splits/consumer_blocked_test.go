package splits_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// However long a pipeline is blocked while entries keep coming: its partitions stay, the buffers
// are bounded, and nothing is requested again and again. Afterwards all entries are delivered, once
// and in order.
func TestBlockedPipelineCostsNothing(t *testing.T) {
	for _, blocked := range []time.Duration{5 * time.Minute, time.Hour} {
		t.Run(blocked.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const partitions, size, ahead = 4, 10_000, 1 << 20
				w := newWorld(t, partitions)
				gate := make(chan struct{})
				a, m := w.metered(func(c *splits.Config, m *member) {
					c.SplitBuffer, c.FetchMax = ahead/2, ahead
					m.handle = func(b *splits.Batch) { m.out.Go(func() { <-gate; b.Ack() }) }
				})
				settle(time.Second)
				var epochs []uint64
				for p := range partitions {
					epochs = append(epochs, w.lease(p).Epoch)
				}
				body, written := strings.Repeat("x", size), 0
				for start := time.Now(); time.Since(start) < blocked; settle(time.Second) {
					for _, s := range w.store.Splits("orders") {
						w.store.Append(s, "n", strconv.Itoa(written), "body", body)
					}
					written++
				}
				for p := range partitions {
					assert.Equal(t, epochs[p], w.lease(p).Epoch, "the lease of partition %d never ended", p)
				}
				assert.Empty(t, a.fenced)
				assert.LessOrEqual(t, m.peak, ahead+m.reply, "no more than one read beyond the bound")
				assert.Less(t, m.reads, 2*ahead/size+100, "reads stop while there is no room")
				t.Logf("%d reads, at most %d bytes buffered, of %d that came", m.reads, m.peak, partitions*written*size)
				close(gate)
				settle(time.Minute)
				w.wantOnce(written, a)
				a.stopGracefully()
			})
		})
	}
}

// careful is a Streams that checks the promise of the README about large entries: after an entry
// over 1 MiB, the next reads request one entry of each split.
type careful struct {
	splits.Streams
	t *testing.T

	mu    sync.Mutex
	since int // reads since the last one with such an entry
	alone int // reads that must request one entry
}

func (c *careful) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	c.mu.Lock()
	if c.since < 16 {
		c.alone++
		assert.Equal(c.t, 1, req.Count, "%d reads after an entry over 1 MiB", c.since)
	}
	c.mu.Unlock()
	fetched, err := c.Streams.Fetch(ctx, req)
	c.mu.Lock()
	defer c.mu.Unlock()
	came := false
	for _, f := range fetched {
		came = came || len(f.Entries) > 0
		for _, e := range f.Entries {
			if e.Size() > 1<<20 {
				c.since = -1
			}
		}
	}
	if came || c.since < 16 {
		c.since++
	}
	return fetched, err
}

// Entries from one byte to 64 MB, mixed at random: memory stays within the bound.
func TestEntriesOfAllSizesStayWithinTheMemoryBound(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const partitions, each, largest = 8, 300, 64 * mega
	all := strings.Repeat("x", largest) // the bodies are parts of it
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, partitions)
		for _, s := range w.store.Splits("orders") {
			for i := range each {
				size := 1 << random.IntN(17)
				if random.IntN(20) == 0 {
					size = min(1<<random.IntN(27), largest)
				}
				w.store.Append(s, "n", strconv.Itoa(i), "body", all[:size])
			}
		}
		guard := &careful{t: t, since: 16}
		a, m := w.metered(slowly, func(c *splits.Config, _ *member) {
			c.FetchMax = 50 * mega
			guard.Streams, c.Streams = c.Streams, guard
		})
		settle(2 * time.Hour)
		w.wantOnce(each, a)
		t.Logf(
			"%d reads, %d of them of one entry each; the largest had %d bytes; at most %d bytes buffered",
			m.reads,
			guard.alone,
			m.reply,
			m.peak,
		)
		assert.Positive(t, guard.alone)
		assert.LessOrEqual(t, m.peak, 50*mega+m.reply)
		a.stopGracefully()
	})
}
