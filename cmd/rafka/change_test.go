package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestTopicGrowCommand(t *testing.T) {
	_, client := startRedis(t)
	succeeds(t, "created topic orders with 1 partition\n", "topic", "create", "orders", "-p", "1")
	succeeds(t, "topic orders grew from 1 to 3 partitions\n"+
		"note: running outputs use them within 10 seconds, running inputs read them from their first entry\n"+
		"note: keys move between partitions, so the order of a key is not guaranteed across the change\n",
		"topic", "grow", "orders", "--partitions", "3")
	succeeds(t, "topic orders already has 3 partitions\n", "topic", "grow", "orders", "-p", "3")
	o := rafka(t, "topic", "grow", "orders", "-p", "4", "--format", "json")
	assert.Regexp(
		t,
		`^\{\s+"stream_name": "orders",\s+"partitions": 4,\s+"created_ms": \d{13},\s+"partitions_before": 3\s+\}\n$`,
		o.stdout,
	)

	add(t, client, "events", "5-1")
	fails(t, []string{"topic", "grow", "orders", "-p", "2"}, "partitions is 2, and it has 4: a topic can't shrink")
	fails(t, []string{"topic", "grow", "orders"}, "--partitions is required and must be 1 or more")
	fails(t, []string{"topic", "grow", "orders", "-p", "100001"}, "partitions is 100001", "from 1 to 100000")
	fails(t, []string{"topic", "grow", "events", "-p", "2"}, "plain stream", "create another topic")
	fails(t, []string{"topic", "grow", "nowhere", "-p", "2"}, `there is no topic "nowhere"`)
}

func TestTopicDeleteCommand(t *testing.T) {
	_, client := startRedis(t)
	succeeds(t, "created topic orders with 2 partitions\n", "topic", "create", "orders", "-p", "2")
	add(t, client, "orders:1", "5-1")
	joinGroup(t, client, "orders", "billing", "rafka/host/1", splits.Position{})

	fails(
		t,
		[]string{"topic", "delete", "orders"},
		"nothing was deleted",
		"--dry-run",
		"--yes deletes the topic orders permanently",
	)
	fails(t, []string{"topic", "delete", "orders", "--yes"},
		`group "billing" of topic "orders" is in use by rafka/host/1`, "stop its inputs", "force")
	o := rafka(t, "topic", "delete", "orders", "--dry-run", "--force")
	assert.Empty(t, o.stderr)
	assert.Regexp(t, `^would delete topic orders: 2 partitions, 1 entry, 1 group, 5 keys of rafka's own
note: commands can't detect outputs; an output that still writes to the topic creates it again

PARTITION   KEY        ENTRIES   BYTES
0           orders:0   0         0
1           orders:1   1         \d+

GROUP     LIVE MEMBERS
billing   1
$`, o.stdout)
	leaveGroup(t, client, "orders", "billing", "rafka/host/1")
	succeeds(t, "deleted topic orders: 2 partitions, 1 entry, 1 group, 5 keys of rafka's own\n"+
		"note: commands can't detect outputs; an output that still writes to the topic creates it again\n",
		"topic", "delete", "orders", "-y")
	// The mark by which a member that is still alive learns of the deletion.
	for _, key := range client.Keys(t.Context(), "*").Val() {
		assert.Equal(t, []string{"moved"}, client.HKeys(t.Context(), key).Val(), key)
		assert.Positive(t, client.PTTL(t.Context(), key).Val(), key)
	}
	fails(t, []string{"topic", "delete", "orders", "--yes"}, `there is no topic "orders"`)

	require.NoError(t, client.FlushAll(t.Context()).Err())
	add(t, client, "events", "5-1")
	o = rafka(t, "topic", "delete", "events", "--yes", "--format", "json")
	assert.Regexp(
		t,
		`^\{\s+"stream_name": "events",\s+"dry_run": false,\s+"partitions": \[\s+\{\s+"partition_id": 0,\s+`+
			`"key": "events",\s+"entries": 1,\s+"bytes": \d+\s+\}\s+\],\s+"groups": \[\],\s+"rafka_keys": 0\s+\}\n$`,
		o.stdout,
	)
	assert.Zero(t, client.DBSize(t.Context()).Val())
}

func TestGroupSeekCommand(t *testing.T) {
	_, client := startRedis(t)
	succeeds(t, "created topic orders with 2 partitions\n", "topic", "create", "orders", "-p", "2")
	for _, id := range []string{"5-1", "5-2", "5-3"} {
		add(t, client, "orders:0", id)
	}
	joinGroup(
		t,
		client,
		"orders",
		"billing",
		"rafka/host/1",
		splits.Position{Offset: splits.Offset{Millis: 5, Seq: 1}, EntriesRead: 1},
	)

	seek := []string{"group", "seek", "billing", "--topic", "orders", "--to"}
	const table = `
PARTITION   BEFORE   AFTER   LAG   TAKEN FROM
0           5-1      5-3     0     rafka/host/1
1           -        0-0     0     -
`
	succeeds(t, "would move group billing of topic orders\n"+table, append(seek, "latest", "--dry-run")...)
	succeeds(t, "moved group billing of topic orders\n"+table, append(seek, "latest")...)
	succeeds(t, `moved group billing of topic orders

PARTITION   BEFORE   AFTER   LAG   TAKEN FROM
0           5-3      5-1     <=2   -
`, append(seek, "5-2", "--partition", "0")...)
	require.NoError(t, client.XGroupCreate(t.Context(), "orders:0", "audit", "0").Err())
	succeeds(t, `moved group audit of topic orders
note: this group has had no members yet; its first members start at these offsets
note: stream orders:0 has a Redis consumer group audit that rafka did not create; it stays unchanged

PARTITION   BEFORE   AFTER   LAG   TAKEN FROM
0           -        0-0     3     -
1           -        0-0     0     -
`, "group", "seek", "audit", "-t", "orders", "--to", "earliest", "--partition", "1", "--partition", "0")

	o := rafka(t, append(seek, "earliest", "--partition", "0", "--format", "json")...)
	assert.JSONEq(
		t,
		`{"stream_name": "orders", "consumer_group": "billing", "dry_run": false, "new": false, "partitions": [
		{"split": {"stream_name": "orders", "partition_id": 0, "id": "orders-0", "key": "orders:0"},
		 "before": "5-1", "after": "0-0", "lag": 3, "lag_exact": true}
	]}`,
		o.stdout,
	)

	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	fails(t, []string{"group", "seek", "billing", "--to", "latest"}, "--topic is required")
	fails(t, []string{"group", "seek", "billing", "--topic", "orders"}, "--to is required", "earliest")
	fails(t, append(seek, "yesterday"), `to: "yesterday" is not supported: use earliest`)
	fails(t, append(seek, tomorrow), "to: "+tomorrow+" lies in the future: use latest")
	fails(
		t,
		append(seek, "earliest", "--partition", "2"),
		"partition is 2, and the topic has 2 partitions: set it to a number from 0 to 1",
	)
	fails(t, append(seek, "earliest", "--partition", "x"), "partition", "--help")
	fails(
		t,
		[]string{"group", "seek", "billing", "--topic", "nowhere", "--to", "latest"},
		`there is no topic "nowhere"`,
	)
}

func TestGroupDeleteCommand(t *testing.T) {
	_, client := startRedis(t)
	succeeds(t, "created topic orders with 2 partitions\n", "topic", "create", "orders", "-p", "2")
	add(t, client, "orders:0", "5-1")
	before := client.DBSize(t.Context()).Val()
	joinGroup(
		t,
		client,
		"orders",
		"billing",
		"rafka/host/1",
		splits.Position{Offset: splits.Offset{Millis: 5, Seq: 1}, EntriesRead: 1},
	)

	remove := []string{"group", "delete", "billing", "--topic", "orders"}
	fails(t, remove, "nothing was deleted", "--yes deletes the group billing of topic orders permanently")
	fails(t, append(remove, "--yes"), "in use by rafka/host/1", "stop its inputs first")
	leaveGroup(t, client, "orders", "billing", "rafka/host/1")
	const table = "\nPARTITION   COMMITTED\n0           0-0\n1           0-0\n"
	succeeds(t, "would delete group billing of topic orders\n"+table, append(remove, "--dry-run")...)
	o := rafka(t, append(remove, "--dry-run", "--format", "json")...)
	var dry struct {
		DryRun     bool             `json:"dry_run"`
		Partitions []map[string]any `json:"partitions"`
	}
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &dry), o.stdout)
	assert.True(t, dry.DryRun)
	require.Len(t, dry.Partitions, 2)
	assert.Equal(t, "0-0", dry.Partitions[0]["committed"])
	succeeds(t, "deleted group billing of topic orders\n"+table, append(remove, "--yes")...)
	assert.Equal(t, before, client.DBSize(t.Context()).Val())
	assert.Empty(t, client.XInfoGroups(t.Context(), "orders:0").Val())
	fails(t, append(remove, "--yes"), `topic "orders" has no group "billing"`)
	fails(t, []string{"group", "delete", "billing"}, "--topic is required")
}
