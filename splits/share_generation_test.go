package splits_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// takes calls a function before each takeover.
type takes struct {
	splits.Shares
	before func()
}

func (t *takes) Take(ctx context.Context, take splits.ShareTake) (splits.ShareTaken, error) {
	t.before()
	return t.Shares.Take(ctx, take)
}

// The store forgets the generation just before a takeover: nothing can be acknowledged under none.
func TestShareEntriesTakenOverWithoutAGenerationAreAcknowledged(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(30)
		a := w.share("a", holding)
		settle(time.Second)
		b := w.share("b", func(c *splits.ShareConfig, _ *sharer) {
			c.Shares = &takes{c.Shares, sync.OnceFunc(func() { w.store.DropShareMark("g", w.only()) })}
		})
		settle(heartbeat)
		a.crash()
		settle(ttl + 2*time.Second)
		assert.Len(t, b.deliveries(), 30, "each once, under the new generation")
		assert.Empty(t, w.pending(0))
	})
}
