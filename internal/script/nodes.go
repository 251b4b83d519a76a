package script

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// NodeOf returns the address of the cluster node that serves a key, as far as the client knows: ""
// until the client has loaded the slots, and "" if the client is not a cluster client. It does no
// I/O.
func NodeOf(client redis.UniversalClient, key string) string {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return ""
	}
	master, err := cluster.MasterForKey(ended, key)
	if err != nil {
		return ""
	}
	return master.Options().Addr
}

// ended is a canceled context: with it, go-redis replies from its cache or fails.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// EachNode calls send once per node, concurrently, with the indexes of the keys on that node, and
// waits for all calls. One pipeline for all nodes would not work: if ctx ends while go-redis
// repeats the requests to one node, it reports the requests to other nodes, which got replies, as
// failed too.
//
// If ctx has a deadline, each cluster node gets one dial or read timeout, not the whole time until
// the deadline: callers are waiting for other nodes.
func EachNode(
	ctx context.Context,
	client redis.UniversalClient,
	keys []string,
	send func(ctx context.Context, indexes []int),
) {
	groups := map[string][]int{}
	for i, key := range keys {
		node := NodeOf(client, key)
		groups[node] = append(groups[node], i)
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		if _, limited := ctx.Deadline(); limited {
			o := cluster.Options()
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, max(o.DialTimeout, o.ReadTimeout))
			defer cancel()
		}
	}
	if len(groups) == 1 {
		for _, indexes := range groups {
			send(ctx, indexes)
		}
		return
	}
	var nodes sync.WaitGroup
	for _, indexes := range groups {
		nodes.Go(func() { send(ctx, indexes) }) // ends with its requests
	}
	nodes.Wait()
}
