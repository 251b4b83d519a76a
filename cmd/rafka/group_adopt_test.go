package main

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestGroupAdoptCommand(t *testing.T) {
	_, client := startRedis(t)
	for _, id := range []string{"5-1", "5-2", "5-3"} {
		add(t, client, "orders", id)
	}
	require.NoError(t, client.XGroupCreate(t.Context(), "orders", "workers", "0").Err())
	_, err := client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
		Group: "workers", Consumer: "w1", Streams: []string{"orders", ">"}, Count: 2, Block: -1,
	}).Result()
	require.NoError(t, err)

	adopt := []string{"group", "adopt", "billing", "--topic", "orders", "--from", "workers"}
	fails(t, append(adopt, "--yes"), `its consumer "w1" received something`, "Stop all its readers")
	redistest.Age(t, client, "orders", 11*time.Minute)
	fails(t, adopt, "nothing was changed", "--dry-run", "--yes")
	fails(t, []string{"group", "adopt", "billing", "--topic", "orders", "--yes"}, "has no Redis consumer group billing")
	fails(t, []string{"group", "adopt", "billing", "--yes"}, "--topic is required")
	fails(t, []string{"group", "adopt", "workers", "--topic", "orders", "--remove", "--yes"}, "--remove needs --from")
	assert.EqualValues(t, 1, client.DBSize(t.Context()).Val(), "nothing was written")

	const table = `
PARTITION   LAST DELIVERED   PENDING   CONSUMERS   LAG   NOTE
0           5-2              2         1           <=2   -
`
	succeeds(t, "group billing of topic orders would continue the Redis consumer group workers\n"+table,
		append(adopt, "--dry-run")...)
	succeeds(t, "group billing of topic orders continues the Redis consumer group workers\n"+table,
		append(adopt, "--yes")...)
	o := rafka(t, append(adopt, "--yes", "--format", "json")...)
	assert.JSONEq(t, `{"stream_name": "orders", "consumer_group": "billing", "from": "workers", "dry_run": false,
		"partitions": [
			{"split": {"stream_name": "orders", "partition_id": 0, "id": "orders-0", "key": "orders"},
			 "offset": "5-2", "pending": 2, "consumers": 1, "lag": 2, "lag_exact": false, "again": true}
		]}`, o.stdout)
}
