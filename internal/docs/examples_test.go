package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/proctest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

const examplesDir = repository + "/config/examples"

// scenarios run the examples. A new example needs a place in one of them.
var scenarios = []struct {
	name  string
	files []string
	run   func(*testing.T)
}{
	{"quickstart on the embedded server", []string{"quickstart.yaml"}, quickstartNeedsNothing},
	{"quickstart on a server", []string{"quickstart.yaml"}, quickstartOnAServer},
	{"consumers share and take over", []string{"produce.yaml", "consume.yaml"}, consumersShareAndTakeOver},
	{"fanout", []string{"produce.yaml", "fanout.yaml"}, fanoutRoutesInOrder},
	{"by key", []string{"produce.yaml", "by-key.yaml"}, byKeyKeepsTheOrderOfCustomers},
	{"dead letters", []string{"produce.yaml", "dead-letters.yaml"}, ordersWithoutCreditAreSetAside},
}

func TestExamplesRun(t *testing.T) {
	run := map[string]bool{}
	for _, s := range scenarios {
		for _, file := range s.files {
			run[file] = true
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t)
		})
	}
	files, err := os.ReadDir(examplesDir)
	require.NoError(t, err)
	for _, file := range files {
		assert.True(t, run[file.Name()], "no scenario of this test runs the example %s", file.Name())
	}
}

func TestExamplesLint(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examplesDir, "*"))
	require.NoError(t, err)
	for _, environment := range [][]string{nil, {"RAFKA_URL=redis://redis.example.com:6379"}} {
		args := []string{"lint"}
		for _, file := range files {
			args = append(args, example(t, filepath.Base(file)))
		}
		start(t, environment, args...).Succeeds(t)
	}
}

func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(examplesDir, name))
	require.NoError(t, err)
	require.FileExists(t, path)
	return path
}

// runExample starts an example that is to use the server. Settings are those of --set.
func runExample(t *testing.T, server *redistest.Server, name string, settings ...string) *proctest.Process {
	t.Helper()
	args := []string{"run"}
	for _, setting := range settings {
		args = append(args, "--set", setting)
	}
	return start(t, []string{"RAFKA_URL=" + server.URL()}, append(args, example(t, name))...)
}

func quickstartNeedsNothing(t *testing.T) {
	p := start(t, nil, "run", example(t, "quickstart.yaml"))
	p.Succeeds(t)
	checkQuickstart(t, p)
}

func quickstartOnAServer(t *testing.T) {
	server := redistest.Start(t)
	p := runExample(t, server, "quickstart.yaml")
	p.Succeeds(t)
	checkQuickstart(t, p)
	everythingIsCommitted(t, server, "quickstart", "packing")
}

var quickstartLine = regexp.MustCompile(`^reader (\d)  partition (\d)  (\w+) +order (\d+)\n$`)

func checkQuickstart(t *testing.T, p *proctest.Process) {
	t.Helper()
	const orders = 60
	lines := p.Stdout.Matches(quickstartLine)
	assert.Len(t, lines, orders)
	assert.Equal(t, orders, strings.Count(p.Stdout.String(), "\n"), "and nothing else: %s", p.Stdout.String())
	readers, partitions, seen, customers := map[string]bool{}, map[string]bool{}, map[int]bool{}, map[string]string{}
	latest := map[string]int{}
	for _, line := range lines {
		reader, partition, customer, order := line[0], line[1], line[2], number(t, line[3])
		readers[reader], partitions[partition], seen[order] = true, true, true
		if customers[customer] == "" {
			customers[customer] = partition
		}
		assert.Equal(t, customers[customer], partition, "%s is in one partition", customer)
		assert.Less(t, latest[customer], order, "the orders of %s ascend", customer)
		latest[customer] = order
	}
	assert.GreaterOrEqual(t, len(readers), 2)
	assert.GreaterOrEqual(t, len(partitions), 3)
	assert.Len(t, seen, orders, "each order comes once")
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// order is one order in Redis: what produce.yaml makes, and what fanout.yaml adds.
type order struct {
	Order, Amount int
	Customer      string
	VAT           *float64  `json:"vat"`
	SeenAt        time.Time `json:"seen_at"`

	id        string
	partition int
	key       string
}

// ordersIn returns the orders in a topic, those of each partition in order.
func ordersIn(t *testing.T, client *redis.Client, topic string) (all []order) {
	t.Helper()
	described, err := broker.NewTopics(client).Describe(t.Context(), topic)
	require.NoError(t, err)
	for i := range described.Partitions {
		entries, err := client.XRange(t.Context(), fmt.Sprint(topic, ":", i), "-", "+").Result()
		require.NoError(t, err)
		for _, entry := range entries {
			o := order{id: entry.ID, partition: i, key: fmt.Sprint(entry.Values["rafka_key"])}
			require.NoError(t, json.Unmarshal([]byte(fmt.Sprint(entry.Values["body"])), &o))
			all = append(all, o)
		}
	}
	return all
}

// byCustomer returns the numbers of each customer's orders, as they stand in the topic.
func byCustomer(orders []order) map[string][]int {
	numbers := map[string][]int{}
	for _, o := range orders {
		numbers[o.Customer] = append(numbers[o.Customer], o.Order)
	}
	return numbers
}

// produceOrders runs produce.yaml, in a hurry, until it has written n orders.
func produceOrders(t *testing.T, server *redistest.Server, n int) []order {
	t.Helper()
	runExample(
		t,
		server,
		"produce.yaml",
		"input.generate.interval=1ms",
		fmt.Sprint("input.generate.count=", n),
	).Succeeds(
		t,
	)
	orders := ordersIn(t, server.Client(t), "orders")
	require.Len(t, orders, n)
	return orders
}

// everythingIsCommitted expects that the group has left, with nothing behind it, for rafka as for
// the tools of Redis.
func everythingIsCommitted(t *testing.T, server *redistest.Server, topic, group string) {
	t.Helper()
	client := server.Client(t)
	described, err := admin.New(client).DescribeGroup(t.Context(), topic, group)
	require.NoError(t, err)
	assert.Empty(t, described.Members)
	for _, p := range described.Partitions {
		assert.Zero(t, p.Lag, p.Split)
		assert.Empty(t, p.Owner, p.Split)
		if client.XLen(t.Context(), p.Split.Key).Val() == 0 {
			continue // Redis has no group on a stream that is not there
		}
		native, err := client.XInfoGroups(t.Context(), p.Split.Key).Result()
		require.NoError(t, err)
		require.Len(t, native, 1)
		assert.Zero(t, native[0].Lag, p.Split)
		assert.Zero(t, native[0].Pending, p.Split)
	}
}

var consumedLine = regexp.MustCompile(`^partition (\d)  (\d+-\d+)  (\S+)  order (\d+)\n$`)

func consumersShareAndTakeOver(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	producer := runExample(t, server, "produce.yaml", "input.generate.interval=10ms")
	first, second := runExample(t, server, "consume.yaml"), runExample(t, server, "consume.yaml")
	printed := func(p *proctest.Process) int { return len(p.Stdout.Matches(consumedLine)) }
	require.Eventually(
		t,
		func() bool { return printed(first) > 0 && printed(second) > 0 },
		proctest.Timeout,
		proctest.Poll,
		"both get partitions",
	)

	second.Terminate(t)
	alone := printed(first)
	require.Eventually(t, func() bool {
		partitions := map[string]bool{}
		for _, line := range first.Stdout.Matches(consumedLine)[alone:] {
			partitions[line[0]] = true
		}
		return len(partitions) == 8
	}, proctest.Timeout, proctest.Poll, "the first takes over what the second had")

	producer.Terminate(t)
	written := ordersIn(t, client, "orders")
	require.Eventually(
		t,
		func() bool { return printed(first)+printed(second) >= len(written) },
		proctest.Timeout,
		proctest.Poll,
	)
	first.Terminate(t)
	everythingIsCommitted(t, server, "orders", "billing")

	for customer, numbers := range byCustomer(written) {
		assert.IsIncreasing(t, append([]int{0}, numbers...), customer)
	}
	checkConsumed(t, written, first, second)
}

// checkConsumed expects that each order was printed once, that each reader went through a partition
// in order, and that a partition changed its reader as a whole.
func checkConsumed(t *testing.T, written []order, readers ...*proctest.Process) {
	t.Helper()
	entries := map[int]order{}
	for _, o := range written {
		entries[o.Order] = o
	}
	readerOf := map[int]int{} // by number of order
	total := 0
	for i, reader := range readers {
		latest := map[int]int{} // by partition
		for _, line := range reader.Stdout.Matches(consumedLine) {
			partition, n := number(t, line[0]), number(t, line[3])
			assert.Less(t, latest[partition], n, "order of partition %d", partition)
			latest[partition], readerOf[n] = n, i
			o := entries[n]
			assert.Equal(
				t,
				[]any{o.partition, o.id, o.Customer, o.key},
				[]any{partition, line[1], line[2], line[2]},
				"order %d",
				n,
			)
			total++
		}
	}
	assert.Equal(t, len(written), total)
	assert.Len(t, readerOf, total, "each order comes once")
	moves := map[int]int{}
	for i, o := range written[1:] {
		if before := written[i]; before.partition == o.partition && readerOf[before.Order] != readerOf[o.Order] {
			moves[o.partition]++
		}
	}
	for partition, n := range moves {
		assert.LessOrEqual(t, n, 2, "partition %d goes to the second and comes back", partition)
	}
}
