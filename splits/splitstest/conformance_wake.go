package splitstest

import (
	"context"
	"time"

	"github.com/stretchr/testify/assert"
)

// subscription is a running Wake.
type subscription struct {
	scene *scene
	hints chan struct{}
	end   context.CancelFunc
	ended chan error
}

// subscribe starts a subscription to the group.
func (s *scene) subscribe() *subscription {
	ctx, end := context.WithCancel(s.Context())
	w := &subscription{scene: s, hints: make(chan struct{}, 1), end: end, ended: make(chan error, 1)}
	go func() { w.ended <- s.group.Wake(ctx, func() { notify(w.hints) }) }() // stop ends it
	return w
}

// wake subscribes to the group and returns when hints of changes arrive.
func (s *scene) wake() *subscription {
	s.Helper()
	w := s.subscribe()
	s.eventually("the hint of subscribing", w.hinted)
	return w
}

// hinted takes a hint if there is one, and reports whether there was.
func (w *subscription) hinted() bool {
	select {
	case <-w.hints:
		return true
	default:
		return false
	}
}

// requireHint asserts that do is followed by a hint.
func (w *subscription) requireHint(what string, do func()) {
	w.scene.Helper()
	w.scene.pass(50 * time.Millisecond)
	for w.hinted() { // hints of earlier changes
		w.scene.pass(50 * time.Millisecond)
	}
	do()
	w.scene.eventually("a hint after "+what, w.hinted)
}

// stop ends the subscription and asserts that it ends.
func (w *subscription) stop() {
	w.scene.Helper()
	w.end()
	select {
	case err := <-w.ended:
		assert.Error(w.scene, err)
	case <-time.After(10 * time.Second):
		w.scene.Fatal("Wake does not return when its context ends")
	}
}
