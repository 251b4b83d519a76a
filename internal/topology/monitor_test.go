package topology

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// monitor watches the connections of one node, and counts its commands.
type monitor struct {
	client *redis.Client
	// reads is how many concurrent reads of an input this node can have.
	reads int

	mu      sync.Mutex
	highest map[string]int // by the name of the connections
}

// monitorNodes monitors nodes until t ends.
func monitorNodes(t *testing.T, nodes map[*redistest.Server]int) []*monitor {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	var all []*monitor
	for node, reads := range nodes {
		g := &monitor{
			client:  node.Client(t, func(o *redis.Options) { o.ClientName, o.PoolSize = "monitor", 1 }),
			reads:   reads,
			highest: map[string]int{},
		}
		all = append(all, g)
		watchers.Go(func() { // ends with ctx
			for ctx.Err() == nil {
				if list, err := g.client.ClientList(ctx).Result(); err == nil {
					g.count(list)
				}
				time.Sleep(2 * time.Millisecond) // leaves time for the server
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		watchers.Wait()
	})
	return all
}

// count parses the output of CLIENT LIST.
func (g *monitor) count(list string) {
	now := map[string]int{}
	for line := range strings.Lines(list) {
		_, rest, _ := strings.Cut(line, " name=")
		name, _, _ := strings.Cut(rest, " ")
		now[name]++
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, n := range now {
		g.highest[name] = max(g.highest[name], n)
	}
}

func (g *monitor) mostConnections(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.highest[name]
}

// rates returns the commands per second during a call, by name, except the monitor's own.
func (g *monitor) rates(t *testing.T, during func()) map[string]float64 {
	t.Helper()
	before, began := g.calls(t), time.Now()
	during()
	after, took := g.calls(t), time.Since(began).Seconds()
	rates := map[string]float64{}
	for name, n := range after {
		own := strings.HasPrefix(name, "client|") || strings.HasPrefix(name, "info") ||
			strings.HasPrefix(name, "cluster|")
		if n > before[name] && !own {
			rates[name] = float64(n-before[name]) / took
		}
	}
	return rates
}

func (g *monitor) calls(t *testing.T) map[string]int {
	t.Helper()
	info, err := g.client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	calls := map[string]int{}
	for line := range strings.Lines(info) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls="); ok {
			n, _, _ := strings.Cut(rest, ",")
			calls[name], err = strconv.Atoi(n)
			require.NoError(t, err)
		}
	}
	return calls
}

// allRates returns the rates of all nodes together during a call.
func allRates(t *testing.T, monitors []*monitor, during func()) map[string]float64 {
	t.Helper()
	sum := map[string]float64{}
	next := during
	for _, g := range monitors {
		inner := next
		next = func() {
			for name, rate := range g.rates(t, inner) {
				sum[name] += rate
			}
		}
	}
	next()
	return sum
}

func table(rates map[string]float64) string {
	var text strings.Builder
	total := 0.0
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		fmt.Fprintf(&text, "  %-20s %8.1f/s\n", name, rates[name])
		total += rates[name]
	}
	fmt.Fprintf(&text, "  %-20s %8.1f/s", "all", total)
	return text.String()
}
