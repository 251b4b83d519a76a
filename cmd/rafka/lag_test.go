package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// gauges is a metrics exporter that records the gauge rafka_lag.
type gauges struct {
	mu  sync.Mutex
	lag int64
	set bool
}

type lagGauge struct {
	all  *gauges
	kept bool
}

func (g lagGauge) Set(n int64) {
	if !g.kept {
		return
	}
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	g.all.lag, g.all.set = n, true
}
func (lagGauge) Incr(int64)   {}
func (lagGauge) Timing(int64) {}

func (g *gauges) NewCounterCtor(string, ...string) service.MetricsExporterCounterCtor {
	return func(...string) service.MetricsExporterCounter { return lagGauge{} }
}

func (g *gauges) NewTimerCtor(string, ...string) service.MetricsExporterTimerCtor {
	return func(...string) service.MetricsExporterTimer { return lagGauge{} }
}

func (g *gauges) NewGaugeCtor(name string, _ ...string) service.MetricsExporterGaugeCtor {
	return func(...string) service.MetricsExporterGauge { return lagGauge{g, name == "rafka_lag"} }
}

func (g *gauges) Close(context.Context) error { return nil }

// value returns the gauge as text, or "" if it was never set.
func (g *gauges) value() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.set {
		return ""
	}
	return fmt.Sprint(g.lag)
}

// lagging is a pipeline that acknowledges some messages and holds the following ones.
type lagging struct {
	t      *testing.T
	client *redis.Client
	*gauges
	stop func()
}

var errNotDone = errors.New("not done")

func startLagging(t *testing.T, client *redis.Client, url string, acknowledge int, fields string) *lagging {
	t.Helper()
	l := &lagging{t: t, client: client, gauges: &gauges{}}
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterMetricsExporter("probe", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return l.gauges, nil }))
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, builder.SetMetricsYAML("probe: {}"))
	require.NoError(t, builder.AddInputYAML(fmt.Sprintf(`
rafka:
  url: %s
  stream_name: orders
  consumer_group: billing
  batch_size: 1
  commit_period: 100ms
  session_timeout: 2s
  lag_refresh_period: 200ms
%s`, url, fields)))
	released := make(chan struct{})
	require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		if acknowledge -= len(batch); acknowledge >= 0 {
			return nil
		}
		<-released
		return errNotDone
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by stop
	l.stop = sync.OnceFunc(func() {
		close(released)
		assert.NoError(t, stream.StopWithin(20*time.Second))
		assert.NoError(t, <-ended)
	})
	t.Cleanup(l.stop)
	return l
}

// described returns the lag that `group describe` shows for the only partition.
func described(t *testing.T) (lag string, exact bool) {
	o := rafka(t, "group", "describe", "billing", "--topic", "orders", "--format", "json")
	var group struct {
		Partitions []struct {
			Lag   int64 `json:"lag"`
			Exact bool  `json:"lag_exact"`
		} `json:"partitions"`
	}
	if o.code != 0 || json.Unmarshal([]byte(o.stdout), &group) != nil || len(group.Partitions) != 1 {
		return o.stderr, false
	}
	return fmt.Sprint(group.Partitions[0].Lag), group.Partitions[0].Exact
}

// shown returns the lag of the group in XINFO GROUPS, or "nil" if Redis can't compute it.
func shown(t *testing.T, client *redis.Client) string {
	groups, err := client.Do(t.Context(), "xinfo", "groups", "orders").Slice()
	if err != nil {
		return err.Error()
	}
	for _, one := range groups {
		if info, ok := one.(map[any]any); ok && info["name"] == "billing" {
			if info["lag"] == nil {
				return "nil"
			}
			return fmt.Sprint(info["lag"])
		}
	}
	return "no group"
}

// awaits waits until the metric, `group describe` and XINFO GROUPS show the given lags.
func (l *lagging) awaits(name, want, inRedis string) {
	l.t.Helper()
	type lags struct{ metric, cli, redis string }
	wanted, seen := lags{want, want, inRedis}, lags{}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		seen.metric, seen.redis = l.value(), shown(l.t, l.client)
		seen.cli, _ = described(l.t)
		if seen == wanted {
			return
		}
		if time.Now().After(deadline) {
			require.Equal(l.t, wanted, seen, name)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// write adds entries whose IDs count from the first number to the last.
func write(t *testing.T, client *redis.Client, from, to int) {
	t.Helper()
	pipe := client.Pipeline()
	for i := from; i <= to; i++ {
		pipe.XAdd(
			t.Context(),
			&redis.XAddArgs{Stream: "orders", ID: fmt.Sprintf("%d-0", i), Values: []string{"body", "x"}},
		)
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
}

func TestLagIsTheSameEverywhere(t *testing.T) {
	do := func(args ...any) func(t *testing.T, c *redis.Client) {
		return func(t *testing.T, c *redis.Client) {
			t.Helper()
			require.NoError(t, c.Do(t.Context(), args...).Err())
		}
	}
	trim := func(length string) func(*testing.T, *redis.Client) { return do("xtrim", "orders", "maxlen", length) }
	del := func(ids ...any) func(*testing.T, *redis.Client) {
		return do(append([]any{"xdel", "orders"}, ids...)...)
	}
	seek := func(to string) func(t *testing.T, c *redis.Client) {
		return func(t *testing.T, _ *redis.Client) {
			t.Helper()
			o := rafka(t, "group", "seek", "billing", "--topic", "orders", "--to", to)
			require.Zero(t, o.code, o.stderr)
		}
	}
	for name, c := range map[string]struct {
		before      func(t *testing.T, c *redis.Client)
		entries     int
		fields      string
		acknowledge int
		then        func(t *testing.T, c *redis.Client)
		want        string
		inRedis     string // if it differs
	}{
		"nothing read":                     {entries: 100, want: "100"},
		"half read":                        {entries: 100, acknowledge: 40, want: "60"},
		"all read":                         {entries: 100, acknowledge: 100, want: "0"},
		"everything trimmed":               {entries: 5, then: trim("0"), want: "0"},
		"trimmed beyond the position":      {entries: 100, acknowledge: 40, then: trim("30"), want: "30"},
		"trimmed up to the position":       {entries: 100, acknowledge: 40, then: trim("60"), want: "60"},
		"trimmed before the position":      {entries: 100, acknowledge: 40, then: trim("80"), want: "60"},
		"trimmed before anything was read": {before: trim("30"), entries: 100, want: "30"},
		"deleted before the position":      {entries: 100, acknowledge: 40, then: del("10-0", "20-0"), want: "60"},
		"deleted after the position": {
			entries: 100, acknowledge: 40, then: del("50-0", "60-0"), want: "58", inRedis: "nil",
		},
		"the last one deleted": {entries: 41, acknowledge: 40, then: del("41-0"), want: "0", inRedis: "nil"},
		"all deleted":          {entries: 2, then: del("1-0", "2-0"), want: "0"},
		"begun in the middle":  {entries: 100, fields: "  start_offset: 71-0", want: "30"},
		"begun in the middle, and read on": {
			entries: 100, fields: "  start_offset: 71-0", acknowledge: 20, want: "10",
		},
		"begun in the middle after deleted": {
			before: del("10-0"), entries: 100, fields: "  start_offset: 71-0", want: "30",
		},
		"begun in the middle before deleted": {
			before: del("80-0"), entries: 100, fields: "  start_offset: 71-0", want: "29", inRedis: "nil",
		},
		"moved back":             {entries: 100, acknowledge: 80, then: seek("31-0"), want: "70"},
		"moved to the end":       {entries: 100, acknowledge: 20, then: seek("latest"), want: "0"},
		"moved to the beginning": {entries: 100, acknowledge: 20, then: seek("earliest"), want: "100"},
		"recreated": {entries: 100, acknowledge: 40, then: func(t *testing.T, c *redis.Client) {
			require.NoError(t, c.Del(t.Context(), "orders").Err())
			write(t, c, 200, 206)
		}, want: "7"},
		"more written": {entries: 100, acknowledge: 40, then: func(t *testing.T, c *redis.Client) {
			write(t, c, 101, 150)
		}, want: "110"},
		"a group that rafka did not make": {
			before: do("xgroup", "create", "orders", "billing", "0"), entries: 100, acknowledge: 40, want: "60",
			inRedis: "100",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := startRedis(t)
			write(t, client, 1, c.entries)
			if c.before != nil {
				c.before(t, client)
			}
			fields, inRedis := c.fields, c.inRedis
			if inRedis == "" {
				inRedis = c.want
			}
			l := startLagging(t, client, server.URL(), c.acknowledge, fields)
			if c.then != nil {
				require.Eventually(
					t,
					func() bool { return l.value() == fmt.Sprint(c.entries-c.acknowledge) },
					time.Minute,
					10*time.Millisecond,
				)
				c.then(t, client)
			}
			l.awaits(name, c.want, inRedis)
		})
	}
}

// While no member runs, no member counts entries: the bound is shown, and Redis shows the same.
func TestLagOfAGroupThatDoesNotRunIsABound(t *testing.T) {
	_, client := startRedis(t)
	write(t, client, 1, 100)
	joinGroup(
		t,
		client,
		"orders",
		"billing",
		"rafka/host/1",
		splits.Position{Offset: splits.Offset{Millis: 40}, EntriesRead: 40},
	)
	lag, exact := described(t)
	assert.Equal(t, "60", lag)
	assert.True(t, exact)
	require.Zero(t, rafka(t, "group", "seek", "billing", "--topic", "orders", "--to", "71-0").code)
	lag, exact = described(t)
	assert.Equal(t, "99", lag)
	assert.False(t, exact)
	assert.Equal(t, "99", shown(t, client))
	assert.Contains(t, rafka(t, "group", "describe", "billing", "--topic", "orders").stdout, "Lag:       <=99\n")

	require.NoError(t, client.Del(t.Context(), "rafka:{orders}:lease:billing").Err())
	lag, exact = described(t)
	assert.Equal(t, "100", lag, "without a position the group may read everything")
	assert.False(t, exact)
}

// With 20,000 entries, the lag is exact within seconds after a seek into the middle.
func TestLagIsExactSoonAfterASeek(t *testing.T) {
	server, client := startRedis(t)
	const all, rest = 20_000, 8_000
	for from := 1; from <= all; from += 10_000 {
		write(t, client, from, from+9_999)
	}
	l := startLagging(t, client, server.URL(), 0, "")
	l.awaits("before", fmt.Sprint(all), fmt.Sprint(all))
	require.Zero(
		t,
		rafka(t, "group", "seek", "billing", "--topic", "orders", "--to", fmt.Sprintf("%d-0", all-rest+1)).code,
	)
	lag, exact := described(t)
	assert.Equal(t, fmt.Sprint(all-1), lag)
	assert.False(t, exact)
	began := time.Now()
	l.awaits("after", fmt.Sprint(rest), fmt.Sprint(rest))
	t.Logf("the lag was exact after %s", time.Since(began))
	_, exact = described(t)
	assert.True(t, exact)
	l.stop()
	lag, exact = described(t)
	assert.Equal(t, fmt.Sprint(rest), lag, "it is stored")
	assert.True(t, exact)
}
