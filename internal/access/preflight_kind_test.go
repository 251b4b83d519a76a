package access

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// The error for a client of the wrong kind, or with a database that does not exist, names the field
// to set.
func TestServerOfAnotherKindIsReportedWithTheRemedy(t *testing.T) {
	server := redistest.Start(t)
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}})
	failover := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "m", SentinelAddrs: []string{server.Addr()}})
	far := server.Client(t, func(o *redis.Options) { o.DB = 99 })
	for remedy, client := range map[string]redis.UniversalClient{
		"set `kind` to simple": cluster, "the addresses in `url` are not Sentinels": failover,
		"correct the database number in `url`": far,
	} {
		for what, err := range map[string]error{
			"reader": CheckReader(t.Context(), client, "orders", "billing"),
			"writer": CheckWriter(t.Context(), client, "orders", 2),
		} {
			assert.ErrorContains(t, err, remedy, what)
		}
		if client != redis.UniversalClient(far) {
			assert.ErrorContains(t, rediserr.Explain(CheckServer(t.Context(), client)), remedy)
			assert.NoError(t, client.Close())
		}
	}
}
