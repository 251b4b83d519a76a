package config

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// nameConnections has connections named after they were made. go-redis would do so while it makes
// them, and give up those to a server that does not allow it.
func nameConnections(t tuning) {
	name := *t.clientName
	if name == "" {
		return
	}
	*t.clientName = ""
	*t.onConnect = func(ctx context.Context, conn *redis.Conn) error {
		err := conn.ClientSetName(ctx, name).Err()
		if answer := redis.Error(nil); errors.As(err, &answer) {
			return nil // refused: nothing depends on it
		}
		return err
	}
}
