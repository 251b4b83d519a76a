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

// Bounds of a subscription that receives nothing. A connection that died without a word would
// otherwise be listened to for ever.
const (
	// wakeSilence is how long it may receive nothing before it is asked whether it lives,
	wakeSilence = 30 * time.Second
	// wakePatience is how long the answer may take.
	wakePatience = 30 * time.Second
)

// Wake implements splits.Group. It calls notify once when it has subscribed, since what happened
// before was not heard, then at every hint. It returns the context's error when ctx ends, or that
// of the subscription; the caller subscribes again.
func (g *Group) Wake(ctx context.Context, notify func()) error {
	return g.wake(ctx, notify, wakeSilence, wakePatience)
}

func (g *Group) wake(ctx context.Context, notify func(), silence, patience time.Duration) error {
	sub := g.client.Subscribe(ctx)
	defer closeWith(ctx, sub)()
	if err := sub.Subscribe(ctx, keys.GroupChannel(g.topic, g.group), keys.TopicChannel(g.topic)); err != nil {
		return g.wakeError(ctx, err)
	}
	asked, wait := false, silence
	for {
		message, err := sub.ReceiveTimeout(ctx, wait)
		switch {
		case isTimeout(err) && !asked && ctx.Err() == nil:
			asked, wait = true, patience
			if err := sub.Ping(ctx); err != nil {
				return g.wakeError(ctx, err)
			}
			continue
		case err != nil:
			return g.wakeError(ctx, err)
		}
		asked, wait = false, silence
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

// closeWith closes the subscription when ctx ends, which is what interrupts a blocked Receive. The
// function that it returns closes it too and waits for the goroutine of the other way, if that has
// run.
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
