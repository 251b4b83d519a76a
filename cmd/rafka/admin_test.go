package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// startRedis starts a server for the commands of the test and returns a client of it.
func startRedis(t *testing.T, args ...string) (*redistest.Server, *redis.Client) {
	t.Helper()
	server := redistest.Start(t, args...)
	t.Setenv("RAFKA_URL", server.URL())
	return server, server.Client(t)
}

// add appends one entry with the given ID.
func add(t *testing.T, client *redis.Client, key, id string) {
	t.Helper()
	require.NoError(
		t,
		client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: id, Values: []string{"body", "x"}}).Err(),
	)
}

func succeeds(t *testing.T, want string, args ...string) {
	t.Helper()
	assert.Equal(t, outcome{0, want, ""}, rafka(t, args...), args)
}

// fails expects exit code 1 and one line on stderr that contains all of the texts.
func fails(t *testing.T, args []string, want ...string) {
	t.Helper()
	o := rafka(t, args...)
	assert.Equal(t, 1, o.code, args)
	assert.Empty(t, o.stdout, args)
	assert.Equal(t, 1, strings.Count(o.stderr, "\n"), o.stderr)
	for _, text := range want {
		assert.Contains(t, o.stderr, text, args)
	}
}

var timeOfDay = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// timeless replaces the times in a text, so that it can be compared.
func timeless(text string) string { return timeOfDay.ReplaceAllString(text, "TIME") }

func TestTopicsAreCreatedOnce(t *testing.T) {
	startRedis(t)
	succeeds(t, "NAME   PARTITIONS   CREATED\n", "topic", "list")
	succeeds(t, "created topic orders with 3 partitions\n", "topic", "create", "orders", "--partitions", "3")
	succeeds(t, "topic orders exists with 3 partitions\n", "topic", "create", "orders", "-p", "3")
	fails(t, []string{"topic", "create", "orders", "-p", "4"}, "topic orders exists with 3 partitions, not 4")
	succeeds(t, "created topic one with 1 partition\n", "topic", "create", "--partitions=1", "one")
	succeeds(t, "created topic {eu}:logs with 2 partitions\n"+
		"note: because of the braces in its name, all partitions are on one node of a cluster\n",
		"topic", "create", "{eu}:logs", "-p", "2")

	o := rafka(t, "topic", "list")
	assert.Equal(t, "NAME        PARTITIONS   CREATED\none         1            TIME\norders      3            TIME\n"+
		"{eu}:logs   2            TIME\n", timeless(o.stdout))
}

func TestTopicCreateRejectsInvalidTopics(t *testing.T) {
	_, client := startRedis(t)
	add(t, client, "events", "5-1")
	fails(t, []string{"topic", "create", "events", "-p", "2"}, `"events" is a plain stream already`)
	fails(t, []string{"topic", "create", "orders"}, "--partitions is required and must be 1 or more")
	fails(t, []string{"topic", "create", "orders", "-p", "-1"}, "--partitions is required and must be 1 or more")
	fails(t, []string{"topic", "create", "orders:7", "-p", "1"}, "orders:7")
	fails(t, []string{"topic", "create", "a", "b", "-p", "1"}, "needs [NAME], got 2 arguments")
	succeeds(t, "NAME   PARTITIONS   CREATED\n", "topic", "list")
}

func TestTopicDescribeShowsEveryPartition(t *testing.T) {
	_, client := startRedis(t)
	succeeds(t, "created topic orders with 2 partitions\n", "topic", "create", "orders", "-p", "2")
	add(t, client, "orders:1", "5-1")
	add(t, client, "orders:1", "1700000000000-2")
	require.NoError(t, client.XTrimMaxLen(t.Context(), "orders:1", 1).Err())

	o := rafka(t, "topic", "describe", "orders")
	assert.Empty(t, o.stderr)
	assert.Equal(t, `Topic:        orders
Partitions:   2
Created:      TIME

PARTITION   KEY        ENTRIES   EVER ADDED   FIRST             LAST
0           orders:0   0         0            -                 -
1           orders:1   1         2            1700000000000-2   1700000000000-2
`, timeless(o.stdout))
	fails(t, []string{"topic", "describe", "nowhere"}, `there is no topic "nowhere"`)
}

func TestTopicDescribeOfAPlainStream(t *testing.T) {
	_, client := startRedis(t)
	add(t, client, "events", "5-1")
	o := rafka(t, "topic", "describe", "events", "--format", "json")
	assert.Empty(t, o.stderr)
	assert.JSONEq(t, `{"stream_name": "events", "partitions": [
  {"partition_id": 0, "key": "events", "exists": true, "length": 1, "added": 1, "first": "5-1", "last": "5-1"}
]}`, o.stdout)
}

func TestTopicsAsJSON(t *testing.T) {
	startRedis(t)
	succeeds(t, "[]\n", "topic", "list", "--format", "json")
	o := rafka(t, "topic", "create", "orders", "-p", "2", "--format", "json")
	assert.Regexp(
		t,
		`^\{\s+"stream_name": "orders",\s+"partitions": 2,\s+"created_ms": \d{13},\s+"created": true\s+\}\n$`,
		o.stdout,
	)
	o = rafka(t, "topic", "list", "--format", "json")
	assert.Regexp(
		t,
		`^\[\s+\{\s+"stream_name": "orders",\s+"partitions": 2,\s+"created_ms": \d{13}\s+\}\s+\]\n$`,
		o.stdout,
	)
}

// joinGroup joins a member to a new group, gives it the lease of partition 0, and commits a
// position.
func joinGroup(t *testing.T, client *redis.Client, topic, group, member string, committed splits.Position) {
	t.Helper()
	const ttl = time.Hour
	view, err := broker.NewGroup(client, topic, group).Beat(t.Context(), splits.Beat{Member: member, TTL: ttl})
	require.NoError(t, err)
	leases := broker.NewLeases(client, broker.LeasesOptions{Topic: topic, Group: group})
	granted := leases.Claim(t.Context(), member, ttl, []splits.Claim{{Split: view.Splits[0]}})[0]
	require.NoError(t, granted.Err)
	lease := splits.Lease{Split: view.Splits[0], Member: member, Epoch: granted.Epoch}
	commit := splits.Commit{Lease: lease, Position: committed, Accounted: committed.EntriesRead}
	require.NoError(t, leases.Commit(t.Context(), ttl, []splits.Commit{commit})[0])
}

// leaveGroup removes a member that joined, and its lease of partition 0.
func leaveGroup(t *testing.T, client *redis.Client, topic, group, member string) {
	t.Helper()
	// The seek ends the lease.
	_, err := admin.New(client).SeekGroup(t.Context(), admin.Seek{Topic: topic, Group: group, To: "earliest"})
	require.NoError(t, err)
	require.NoError(t, broker.NewGroup(client, topic, group).Leave(t.Context(), member))
}

func TestGroupCommands(t *testing.T) {
	_, client := startRedis(t)
	succeeds(t, "GROUP   TOPIC   TYPE   MEMBERS\n", "group", "list")
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
	joinGroup(t, client, "events", "audit", "rafka/host/2", splits.Position{})

	succeeds(
		t,
		"GROUP     TOPIC    TYPE       MEMBERS\naudit     events   consumer   1\nbilling   orders   consumer   1\n",
		"group",
		"list",
	)
	succeeds(
		t,
		"GROUP     TOPIC    TYPE       MEMBERS\nbilling   orders   consumer   1\n",
		"group",
		"list",
		"--topic",
		"orders",
	)
	o := rafka(t, "group", "list", "-t", "orders", "--format=json")
	assert.JSONEq(
		t,
		`[{"stream_name": "orders", "consumer_group": "billing", "group_type": "consumer", "members": 1}]`,
		o.stdout,
	)

	o = rafka(t, "group", "describe", "billing", "--topic", "orders")
	assert.Empty(t, o.stderr)
	age := regexp.MustCompile(`\d+h\d+m\d+s( *)\n`) // of an entry of the year 1970
	text := regexp.MustCompile(`\b(1h0m0s|59m\d+s)`).ReplaceAllString(o.stdout, "LEASE_")
	assert.Equal(t, `Group:     billing
Topic:     orders
Type:      consumer
Lag:       2
Members:   1
           rafka/host/1

PARTITION   OWNER          LEASE    COMMITTED   LAG   AGE
0           rafka/host/1   LEASE_   5-1         2     AGE
1           -              -        -           0     -
`, age.ReplaceAllString(text, "AGE\n"))

	o = rafka(t, "group", "describe", "billing", "--topic", "orders", "--format", "json")
	var group map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &group), o.stdout)
	assert.Equal(t, []any{"rafka/host/1"}, group["members"])
	partitions := group["partitions"].([]any)
	require.Len(t, partitions, 2)
	assert.Subset(t, partitions[0], map[string]any{"owner": "rafka/host/1", "committed": "5-1", "lag": 2.0})
	assert.Subset(t, partitions[1], map[string]any{"committed": nil, "lag": 0.0})

	fails(t, []string{"group", "describe", "billing"}, "--topic is required")
	fails(t, []string{"group", "describe", "nobody", "--topic", "orders"}, `topic "orders" has no group "nobody"`)
}

func TestAdminCommandsExplainConnectionErrors(t *testing.T) {
	server, _ := startRedis(t, "--requirepass", "hunter2")
	list := []string{"topic", "list"}
	fails(t, list, "NOAUTH", "set `password`")
	fails(t, append(list, "--password", "hunter3"), "WRONGPASS", "check `username` and `password`")
	o := rafka(t, append(list, "--password", "hunter3")...)
	assert.NotContains(t, o.stderr, "hunter")
	t.Setenv("RAFKA_PASSWORD", "hunter2")
	assert.Zero(t, rafka(t, list...).code)
	help := rafkaProcess(t, "topic", "list", "--help")
	assert.Contains(t, help.stdout, "RAFKA_PASSWORD")
	assert.NotContains(t, help.stdout, "hunter")

	t.Setenv("RAFKA_PASSWORD", "")

	fails(t, append(list, "--url", "http://localhost"), "url")
	fails(t, append(list, "--kind", "single"), "kind", "single")
	fails(t, append(list, "--url", "embedded://x"), "url: an embedded:// server is inside the process")
	fails(t, append(list, "--format", "xml"), `--format is "xml": use text or json`)
	fails(t, append(list, "--tls-ca", "/nowhere.pem"), "tls", "/nowhere.pem")
	fails(t, append(list, "orders"), "needs no arguments, got 1")
	fails(t, append(list, "--config", "/nowhere.yaml"), "reading --config: open /nowhere.yaml")

	server.Stop(t)
	fails(t, list, "Redis cannot be reached: check `url`")
	fails(t, append(list, "--timeout", "1ns"), "Redis")
}

func TestFlagConfigSetsTheConnection(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("RAFKA_URL", "redis://127.0.0.1:1")
	t.Setenv("RAFKA_TEST_REDIS", server.URL())
	path := writeFile(t, "rafka.yaml", `
input:
  generate: { mapping: root = 1 }
output:
  switch:
    cases:
      - output:
          rafka: { url: "${RAFKA_TEST_REDIS}", stream_name: orders }
`)
	succeeds(t, "NAME   PARTITIONS   CREATED\n", "topic", "list", "--config", path)
	none := writeFile(t, "none.yaml", goodConfig)
	fails(t, []string{"topic", "list", "--config", none}, none+" has no rafka input or output")
}

func TestCheckTestsRafkasConnections(t *testing.T) {
	server := redistest.Start(t)
	const config = `
input:
  rafka: { url: "${RAFKA_TEST_REDIS}", stream_name: orders, consumer_group: billing }
output:
  label: sink
  rafka: { url: "${RAFKA_TEST_REDIS}", stream_name: invoices, partitions: 2 }
`
	path := writeFile(t, "rafka.yaml", config)
	t.Setenv("RAFKA_TEST_REDIS", server.URL())
	succeeds(t, path+": input: note: topic orders does not exist yet; waiting for its first entry\n"+
		path+": input: ok\n"+path+": sink: ok\n", "check", path)
	assert.Zero(t, server.Client(t).DBSize(t.Context()).Val(), "a check leaves nothing behind")

	t.Setenv("RAFKA_TEST_REDIS", "redis://127.0.0.1:1")
	o := rafka(t, "check", path)
	assert.Equal(t, 1, o.code)
	assert.Equal(t, 2, strings.Count(o.stdout, "\n"), o.stdout)
	assert.Equal(t, 2, strings.Count(o.stdout, "connection refused"), o.stdout)
}
