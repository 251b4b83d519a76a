package docs

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/proctest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func fanoutRoutesInOrder(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	written := produceOrders(t, server, 300)
	want := map[string][]order{}
	for _, o := range written {
		route := "orders-small"
		if o.Amount >= 400 {
			route = "orders-large"
		}
		want[route] = append(want[route], o)
	}
	require.Len(t, want, 2)

	fanout := runExample(t, server, "fanout.yaml")
	require.Eventually(t, func() bool {
		return len(ordersIn(t, client, "orders-large"))+len(ordersIn(t, client, "orders-small")) >= len(written)
	}, proctest.Timeout, proctest.Poll)
	fanout.Terminate(t)
	everythingIsCommitted(t, server, "orders", "routing")
	for route, orders := range want {
		routed := ordersIn(t, client, route)
		assert.Equal(t, byCustomer(orders), byCustomer(routed), route)
		for _, o := range routed {
			assert.Equal(t, o.Customer, o.key)
			require.NotNil(t, o.VAT)
			assert.InDelta(t, float64(o.Amount)*0.19, *o.VAT, 0.5001)
			assert.InDelta(t, math.Trunc(*o.VAT), *o.VAT, 0, "it is rounded")
			assert.WithinDuration(t, time.Now(), o.SeenAt, time.Hour)
		}
	}
}

var enrichedLine = regexp.MustCompile(`^order (\d+) of (\S+)\n$`)

func byKeyKeepsTheOrderOfCustomers(t *testing.T) {
	server := redistest.Start(t)
	written := produceOrders(t, server, 300)
	byKey := runExample(t, server, "by-key.yaml")
	require.Eventually(
		t,
		func() bool { return len(byKey.Stdout.Matches(enrichedLine)) >= len(written) },
		proctest.Timeout,
		proctest.Poll,
	)
	byKey.Terminate(t)
	everythingIsCommitted(t, server, "orders", "enrichment")
	want, got := map[string][]string{}, map[string][]string{}
	for _, o := range written {
		want[o.Customer] = append(want[o.Customer], strconv.Itoa(o.Order))
	}
	for _, line := range byKey.Stdout.Matches(enrichedLine) {
		got[line[1]] = append(got[line[1]], line[0])
	}
	assert.Equal(t, want, got)
}

// printedOrder is the beginning of a line that the example dead-letters.yaml prints. The engine logs
// to stdout too, since stdout is not its outermost output, and can do so before the end of a line.
var printedOrder = regexp.MustCompile(`^order (\d+) of customer-\d+`)

func ordersWithoutCreditAreSetAside(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	var accepted, refused []string
	for _, o := range produceOrders(t, server, 300) {
		if text := strconv.Itoa(o.Order); o.Amount > 450 {
			refused = append(refused, text)
		} else {
			accepted = append(accepted, text)
		}
	}
	credit := runExample(t, server, "dead-letters.yaml")
	require.Eventually(t, func() bool {
		return len(credit.Stdout.Matches(printedOrder)) >= len(accepted) &&
			client.XLen(t.Context(), "orders-dead").Val() >= int64(len(refused))
	}, proctest.Timeout, proctest.Poll)
	require.NoError(t, credit.Command.Process.Signal(syscall.SIGTERM))
	<-credit.Ended // the log has the errors of the refused orders
	everythingIsCommitted(t, server, "orders", "credit")
	var printed, letters []string
	for _, line := range credit.Stdout.Matches(printedOrder) {
		printed = append(printed, line[0])
	}
	for _, letter := range client.XRange(t.Context(), "orders-dead", "-", "+").Val() {
		assert.Contains(t, letter.Values["rafka_origin_error"], "no credit for ")
		var o order
		require.NoError(t, json.Unmarshal([]byte(letter.Values["body"].(string)), &o))
		letters = append(letters, strconv.Itoa(o.Order))
	}
	assert.ElementsMatch(t, accepted, printed)
	assert.ElementsMatch(t, refused, letters)
}
