package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

// Admin describes and changes topics and groups. It is safe for concurrent use and does not close
// its client.
type Admin struct {
	client redis.UniversalClient
	topics *broker.Topics
	log    *broker.Log
}

// New returns an Admin that uses the client. The caller closes the client.
func New(client redis.UniversalClient) *Admin {
	return &Admin{client: client, topics: broker.NewTopics(client), log: broker.NewLog(client, client)}
}

// scan returns the keys of all masters that match, whatever their type: if another program has
// overwritten a key of rafka, the caller reports the key and does not skip it.
func (a *Admin) scan(ctx context.Context, pattern string) ([]string, error) {
	var mu sync.Mutex // masters are scanned concurrently
	found := map[string]struct{}{}
	scanNode := func(ctx context.Context, node redis.Cmdable) error {
		names := node.Scan(ctx, 0, pattern, 1000).Iterator()
		for names.Next(ctx) {
			mu.Lock()
			found[names.Val()] = struct{}{} // SCAN may return a key twice
			mu.Unlock()
		}
		return names.Err()
	}
	var err error
	if cluster, ok := a.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(
			ctx,
			func(ctx context.Context, node *redis.Client) error { return scanNode(ctx, node) },
		)
	} else {
		err = scanNode(ctx, a.client)
	}
	if err != nil {
		return nil, rediserr.Explain(err)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// now returns the server's time in Unix milliseconds.
func (a *Admin) now(ctx context.Context) (int64, error) {
	now, err := a.client.Time(ctx).Result()
	if err != nil {
		return 0, rediserr.Explain(err)
	}
	return now.UnixMilli(), nil
}

// alive returns the lower bound of the deadlines of live members, as ZRANGEBYSCORE takes it.
func alive(now int64) string { return "(" + strconv.FormatInt(now, 10) }

// exec sends a pipeline, if it is not empty, and returns the error of the first command that
// failed.
func exec(ctx context.Context, pipe redis.Pipeliner) error {
	if pipe.Len() == 0 {
		return nil
	}
	commands, err := pipe.Exec(ctx)
	for _, c := range commands {
		if class := rediserr.Classify(c.Err()); class == rediserr.ClassPermission || class == rediserr.ClassWrongType {
			return replyError(c)
		}
	}
	return rediserr.Explain(err)
}

// replyError returns the error of a command whose first argument is a key, with the key in it: a
// server that denies a key, or finds another type, does not name the key.
func replyError(c redis.Cmder) error {
	err := rediserr.Explain(c.Err())
	args := c.Args()
	if class := rediserr.Classify(
		err,
	); class != rediserr.ClassPermission && class != rediserr.ClassWrongType ||
		len(args) < 2 {
		return err
	}
	if c.Name() == "unlink" && len(args) > 2 {
		return fmt.Errorf("keys %v: %w", args[1:], err)
	}
	return fmt.Errorf("key %v: %w", args[1], err)
}
