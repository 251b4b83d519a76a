package config

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// reloadOnTrouble has the client of a cluster look for the masters anew whenever a request meets no
// answer, or a cluster that is down. By itself go-redis does so when a node refers it to another
// one, and else once a minute: a master that died refers nobody, so its partitions would stand
// still long after a replica has taken over.
type reloadOnTrouble struct{ client *redis.ClusterClient }

var _ redis.Hook = reloadOnTrouble{}

// DialHook changes nothing: nodes dial by themselves.
func (h reloadOnTrouble) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook looks at the outcome of a request.
func (h reloadOnTrouble) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.note(ctx, err)
		return err
	}
}

// ProcessPipelineHook looks at the outcome of each request of a pipeline: they may have gone to
// different nodes.
func (h reloadOnTrouble) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if err != nil && !h.note(ctx, err) {
			for _, cmd := range cmds {
				if h.note(ctx, cmd.Err()) {
					break
				}
			}
		}
		return err
	}
}

// note reports whether it had the client look: go-redis does that in the background, at most five
// times a second.
func (h reloadOnTrouble) note(ctx context.Context, err error) bool {
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
