package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

// These constants are timeouts of a subscription that receives nothing. Without them, Wake would
// wait forever on a connection that broke without an error.
const (
	// wakeSilence is how long the subscription may receive nothing before Wake sends a PING.
	wakeSilence = 30 * time.Second
	// wakePatience is how long the reply to the PING may take.
	wakePatience = 30 * time.Second
)

// Wake implements splits.Group. It calls notify once after it has subscribed, because earlier hints
// did not arrive, and then for every hint. It returns the context's error when ctx ends, or else
// the error of the subscription. To continue after an error, the caller calls Wake again.
func (g *Group) Wake(ctx context.Context, notify func()) error {
	return g.wake(ctx, notify, wakeSilence, wakePatience)
}

func (g *Group) wake(ctx context.Context, notify func(), silence, patience time.Duration) error {
	sub := g.client.Subscribe(ctx)
	defer closeWith(ctx, sub)()
	if err := sub.Subscribe(ctx, keys.GroupChannel(g.topic, g.group), keys.TopicChannel(g.topic)); err != nil {
		return g.wakeError(ctx, err)
	}
	pinged, wait := false, silence
	for {
		message, err := sub.ReceiveTimeout(ctx, wait)
		switch {
		case isTimeout(err) && !pinged && ctx.Err() == nil:
			pinged, wait = true, patience
			if err := sub.Ping(ctx); err != nil {
				return g.wakeError(ctx, err)
			}
			continue
		case err != nil:
			return g.wakeError(ctx, err)
		}
		pinged, wait = false, silence
		switch message.(type) {
		case *redis.Subscription, *redis.Message:
			notify()
		}
	}
}

func (g *Group) wakeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("listening for hints of group %s of %s: %w", g.group, g.topic, rediserr.Explain(err))
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// closeWith closes the subscription when ctx ends, which interrupts a blocked Receive. The returned
// function closes the subscription too. If ctx has already ended, the function waits until the
// goroutine that closes the subscription has ended.
func closeWith(ctx context.Context, sub *redis.PubSub) (finish func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = sub.Close()
	})
	return func() {
		if stop() {
			_ = sub.Close()
			return
		}
		<-done
	}
}
