package access

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Eviction reports which keys the servers evict when their memory is full, by their
// maxmemory-policy. The zero value means none (noeviction), or that the servers don't report their
// policy.
type Eviction struct {
	// ExpiringKeys is true if keys with an expiry are evicted (volatile-lru and similar policies).
	// Streams and topics have no expiry. Groups and leases have one unless they are kept forever,
	// see [broker.KeepUnused]. The state of a producer always has one: if it is evicted, an append
	// that is repeated at that moment can be written twice.
	ExpiringKeys bool
	// Warning is a warning with a remedy if any key can be evicted (allkeys-lru and similar
	// policies), else "".
	Warning string
}

// QueryEviction queries the policy of the server, or of each master of a cluster. A server that
// does not answer, or does not permit INFO, counts as one without eviction. CONFIG is not used,
// because managed services don't have it.
func QueryEviction(ctx context.Context, client redis.UniversalClient) Eviction {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return evictionBy(policyOf(ctx, client), "the server")
	}
	var mu sync.Mutex // masters are queried concurrently
	var all Eviction
	_ = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		e := evictionBy(policyOf(ctx, master), "the cluster node "+master.Options().Addr)
		mu.Lock()
		defer mu.Unlock()
		all.ExpiringKeys = all.ExpiringKeys || e.ExpiringKeys
		if all.Warning == "" {
			all.Warning = e.Warning
		}
		return nil
	})
	return all
}

// policyOf returns the maxmemory-policy, "" if the server does not report it.
func policyOf(ctx context.Context, client redis.UniversalClient) string {
	policy, _ := infoField(client.Info(ctx, "memory").Val(), "maxmemory_policy")
	return policy
}

func evictionBy(policy, where string) Eviction {
	e := Eviction{ExpiringKeys: strings.HasPrefix(policy, "volatile-")}
	if strings.HasPrefix(policy, "allkeys-") {
		e.Warning = fmt.Sprintf(
			"%s has maxmemory-policy %s: when its memory is full, it can evict streams, offsets and leases, which is "+
				"a loss of data: set maxmemory-policy to noeviction, or use another server or database for rafka",
			where,
			policy,
		)
	}
	return e
}
