package config

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// reloadOnError makes the client of a cluster reload its map of slots whenever a request gets no
// reply or CLUSTERDOWN. go-redis reloads the map when a node redirects the client, and otherwise
// once a minute: a master that died redirects nothing, so its partitions stayed unavailable long
// after a replica had taken over. https://github.com/redis/go-redis/issues/3979
type reloadOnError struct{ client *redis.ClusterClient }

var _ redis.Hook = reloadOnError{}

// DialHook changes nothing: the clients of the nodes dial.
func (h reloadOnError) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook checks the outcome of a request.
func (h reloadOnError) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.reloadIfNeeded(ctx, err)
		return err
	}
}

// ProcessPipelineHook checks the outcome of each request of a pipeline: the requests may have gone
// to different nodes.
func (h reloadOnError) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if err != nil && !h.reloadIfNeeded(ctx, err) {
			for _, cmd := range cmds {
				if h.reloadIfNeeded(ctx, cmd.Err()) {
					break
				}
			}
		}
		return err
	}
}

// reloadIfNeeded starts a reload if the error suggests that masters have changed, and reports
// whether it did. go-redis reloads in the background, at most five times a second.
func (h reloadOnError) reloadIfNeeded(ctx context.Context, err error) bool {
	var answer redis.Error
	switch {
	case err == nil,
		errors.Is(err, context.Canceled),
		errors.Is(err, redis.ErrClosed),
		errors.Is(err, redis.ErrPoolTimeout):
		return false
	case errors.As(err, &answer) && !redis.HasErrorPrefix(err, "CLUSTERDOWN"):
		return false
	}
	h.client.ReloadState(ctx)
	return true
}
