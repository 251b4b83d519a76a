package splits_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// narrow is a store behind a network on which answers with a large entry do not arrive.
type narrow struct {
	splits.Shares
	large splits.Offset
	until time.Time
}

func (n *narrow) blocks(o splits.Offset) bool { return o == n.large && time.Now().Before(n.until) }

func (n *narrow) Read(ctx context.Context, r splits.ShareRead) ([]splits.Delivered, error) {
	delivered, err := n.Shares.Read(ctx, r)
	for _, d := range delivered {
		if slices.ContainsFunc(d.Entries, func(e splits.Entry) bool { return n.blocks(e.Offset) }) {
			return nil, splits.ErrUnfinished
		}
	}
	return delivered, err
}

func (n *narrow) Load(ctx context.Context, l splits.ShareLoad) (splits.ShareLoaded, error) {
	if l.Bytes > 0 && slices.ContainsFunc(l.Offsets, n.blocks) {
		return splits.ShareLoaded{}, splits.ErrUnfinished
	}
	return n.Shares.Load(ctx, l)
}

func TestShareEntryThatDoesNotArriveDelaysNoOther(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(50)
		split := w.store.Split("orders", 0)
		large := w.store.Append(split, "n", "large", "body", strings.Repeat("x", 1<<20))
		w.fill(50)
		var failed []error
		m := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.Shares = &narrow{c.Shares, large, time.Now().Add(10 * time.Minute)}
			c.BatchSize, c.CheckpointLimit = 1, 5
			c.Observer = unavailable{m, func(err error) { failed = append(failed, err) }}
		})
		settle(5 * time.Minute)
		assert.Len(t, m.deliveries(), 100)
		require.NotEmpty(t, failed)
		var entry *splits.EntryError
		for _, err := range failed {
			_ = errors.As(err, &entry)
		}
		require.NotNil(t, entry)
		assert.Equal(t, large, entry.Next.Offset)
		assert.Greater(t, entry.Next.Size, int64(1<<20))
		assert.Equal(t, map[string]int{"a0": 1}, w.pending(0))
		settle(10 * time.Minute)
		assert.Len(t, m.deliveries(), 101)
		assert.Empty(t, w.pending(0))
	})
}

// unavailable is the observer of a member that also notes what fails.
type unavailable struct {
	*sharer
	note func(error)
}

func (u unavailable) Unavailable(_ splits.Part, err error) { u.note(err) }
