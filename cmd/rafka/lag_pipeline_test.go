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
