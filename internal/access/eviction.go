package access

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Eviction is what servers do with keys when their memory is full, by their maxmemory-policy. The
// zero value is that they refuse to write instead (noeviction), or don't tell.
type Eviction struct {
	// ExpiringKeys says that keys with an expiry are evicted (volatile-lru and the like). Streams
	// and topics have none. Groups and leases have one unless they are kept for ever: see
	// [KeepUnused]. The state of a producer has one whatever happens: without it, an append that is
	// being sent again at that moment may be written twice.
	ExpiringKeys bool
	// Warning says that any key may be evicted (allkeys-lru and the like), what that means and what
	// to do; "" if it is not so.
	Warning string
}

// AskEviction asks the server, or each master of a cluster, for its policy. One that can't be asked
// or refuses counts as telling nothing: INFO is all that is used, since managed services have no
// CONFIG.
func AskEviction(ctx context.Context, client redis.UniversalClient) Eviction {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return evictionBy(policyOf(ctx, client), "the server")
	}
	var mu sync.Mutex // masters are asked at the same time
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

// policyOf is "" if the server does not tell.
func policyOf(ctx context.Context, client redis.UniversalClient) string {
	policy, _ := infoField(client.Info(ctx, "memory").Val(), "maxmemory_policy")
	return policy
}

func evictionBy(policy, where string) Eviction {
	e := Eviction{ExpiringKeys: strings.HasPrefix(policy, "volatile-")}
	if strings.HasPrefix(policy, "allkeys-") {
		e.Warning = fmt.Sprintf(
			"%s has maxmemory-policy %s: when its memory is full it may evict streams, offsets and leases, which is loss of "+
				"data: set maxmemory-policy to noeviction, or use another server or database for rafka",
			where,
			policy,
		)
	}
	return e
}
