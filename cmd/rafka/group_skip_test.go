package main

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// startBilling adds two entries to topic orders and makes member m1 of group billing read them.
func startBilling(t *testing.T, client *redis.Client) {
	t.Helper()
	for _, id := range []string{"5-1", "5-2"} {
		require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{
			Stream: "orders",
			ID:     id,
			Values: []string{"body", "bad\x1b[31m " + id, "rafka_key", strings.Repeat("k", 20)},
		}).Err())
	}
	_, err := broker.NewGroup(
		client,
		"orders",
		"billing",
	).Beat(
		t.Context(),
		splits.Beat{Member: "m1", TTL: time.Minute},
	)
	require.NoError(t, err)
	leases := broker.NewLeases(client, broker.LeasesOptions{Topic: "orders", Group: "billing"})
	g := leases.Claim(t.Context(), "m1", time.Minute,
		[]splits.Claim{{Split: broker.PlainSplit("orders"), Start: splits.Earliest()}})[0]
	require.NoError(t, g.Err)
}

func TestGroupSkipCommand(t *testing.T) {
	_, client := startRedis(t)
	skip := []string{"group", "skip", "billing", "--topic", "orders"}
	fails(t, skip, `topic "orders" has no group "billing"`)
	startBilling(t, client)
	before := client.HGetAll(t.Context(), "rafka:{orders}:lease:billing").Val()
	fails(t, []string{"group", "skip", "billing"}, "--topic is required")
	fails(t, append(skip, "--partition", "1"), "partition is 1, and the topic has only partition 0")
	fails(t, append(skip, "--partition", "-2"), "--partition is negative")
	fails(t, append(skip, "--offset", "7-7"), "has no entry at offset 7-7")
	fails(t, append(skip, "--max-bytes", "-1"), "--max-bytes is -1")

	const shown = `
Member:   m1

FIELD       VALUE
body        bad\x1b[31m 5-1
rafka_key   kkkkkkkkkkkkkkk... (20 bytes)
`
	succeeds(t, "would skip offset 5-1 of partition 0 of topic orders in group billing\n"+
		"note: nothing was changed: --offset 5-1 --yes skips this message\n"+shown,
		append(skip, "--max-bytes", "15")...)
	assert.Equal(t, before, client.HGetAll(t.Context(), "rafka:{orders}:lease:billing").Val())
	succeeds(t, "skipped offset 5-1 of partition 0 of topic orders in group billing\n"+shown,
		append(skip, "--offset", "5-1", "--yes", "--max-bytes", "15")...)
	fails(t, append(skip, "--offset", "5-1", "--yes"), "has been processed: the committed offset is 5-1")

	o := rafka(t, append(skip, "--yes", "--format", "json", "--max-bytes", "15")...)
	assert.JSONEq(t, `{"stream_name": "orders", "consumer_group": "billing", "dry_run": false,
		"split": {"stream_name": "orders", "partition_id": 0, "id": "orders-0", "key": "orders"},
		"entry": {"offset": "5-2", "fields": [{"name": "body", "value": "bad\u001b[31m 5-2"},
			{"name": "rafka_key", "value": "kkkkkkkkkkkkkkk", "bytes": 20}]}}`, o.stdout)
	fails(t, skip, "nothing waits to be processed")
}
