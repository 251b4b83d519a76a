package splits

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// noPages is an Adoptions whose pages can't be read.
type noPages struct{ Adoptions }

func (noPages) Pending(context.Context, PendingRequest) (PendingPage, error) {
	return PendingPage{}, errors.New("no answer")
}

// A page can fail after its split was given up. No later page ends that failure, and a member that
// waits for the store would wait forever.
func TestPageThatFailsAfterItsSplitHasEndedIsNoProblem(t *testing.T) {
	cfg := Config{TTL: time.Hour, Adoptions: noPages{}}.withDefaults()
	set, health := newSplitSet(cfg), newHealth(cfg.Observer, cfg.Now)
	o := set.add(claimedSplit{lease: Lease{Split: Split{Key: "orders"}}, adopting: "old"})
	a := newAdopter(cfg, set, health)
	page := pendingRead{o, PendingRequest{Split: o.lease.Split}}
	a.read(t.Context(), page)
	_, err := health.longestProblem(0)
	assert.Error(t, err)
	set.mu.Lock()
	set.end(o, ErrRevoked)
	set.mu.Unlock()
	a.read(t.Context(), page)
	_, err = health.longestProblem(0)
	assert.NoError(t, err)
}

// A page can also fail after everything pending was acknowledged by another client.
func TestPageThatFailsAfterItsAdoptionHasEndedIsNoProblem(t *testing.T) {
	cfg := Config{TTL: time.Hour, Adoptions: noPages{}}.withDefaults()
	set, health := newSplitSet(cfg), newHealth(cfg.Observer, cfg.Now)
	o := set.add(claimedSplit{lease: Lease{Split: Split{Key: "orders"}}, adopting: "old"})
	assert.Equal(t, "old", set.settled(o.lease, 0, 0))
	newAdopter(cfg, set, health).read(t.Context(), pendingRead{o, PendingRequest{Split: o.lease.Split}})
	_, err := health.longestProblem(0)
	assert.NoError(t, err)
}
