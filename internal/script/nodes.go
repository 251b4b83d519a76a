package script

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// NodeOf names the server that holds a key: "" unless the client is a cluster's, where it is the
// address of the slot's master as the client knows it, and "" until it has learnt the slots. It
// does no I/O.
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

// ended is a context that is over: with it, go-redis answers from its memory or not at all.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// EachNode calls send with the indexes of all keys that are on the same node, for all nodes at once,
// and waits for all of them. A pipeline that spans nodes would not do: when ctx ends while one node
// is being tried again, go-redis says of the other nodes' requests, which were answered, that they
// failed.
//
// If ctx has a deadline, a node of a cluster gets the time that one connection or one answer may
// take, and not all the time there is for trying again: others are waiting.
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
