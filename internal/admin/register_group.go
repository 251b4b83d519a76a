package admin

import (
	"context"

	"github.com/rafka-streams/rafka/internal/keys"
)

// register adds a group to the groups of a topic, as its first heartbeat does. It comes before the
// group gets an offset: an offset that is not registered does not keep entries from being deleted.
func (a *Admin) register(ctx context.Context, topic, group string) error {
	return replyError(a.client.SAdd(ctx, keys.Groups(topic), group))
}
