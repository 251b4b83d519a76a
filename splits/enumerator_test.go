package splits

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// replanned is a group that has changed since its plan was made, and accepts no other plan.
type replanned struct {
	Group
	view View
}

func (g replanned) Beat(context.Context, Beat) (View, error) { return g.view, nil }

func (replanned) Propose(context.Context, Plan) (bool, error) { return false, errors.New("no answer") }

// A regression: a member whose proposals failed ignored what its heartbeats returned. It started
// partitions at the latest entry although the heartbeat had said that they are to be read from the
// first one, since the store had lost the group.
func TestBeatIsFollowedThoughTheProposalFails(t *testing.T) {
	split := Split{Topic: "orders", Key: "orders:0"}
	view := View{
		Version: 3, Planned: 2, Splits: []Split{split}, Members: []string{"a", "b"},
		Plan: &Plan{Version: 2, Assignments: map[string][]int{"a": {0}}},
	}
	cfg := Config{Group: replanned{view: view}, Member: "a", TTL: time.Minute, Heartbeat: time.Second}.withDefaults()
	var followed []assignment
	e := newEnumerator(cfg, newHealth(cfg.Observer, cfg.Now), func(a assignment) { followed = append(followed, a) })
	_, err := e.step(t.Context())
	require.Error(t, err)
	assert.Equal(t, []assignment{{version: 2, splits: []Split{split}}}, followed)
}
