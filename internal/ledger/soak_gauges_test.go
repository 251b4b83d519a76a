//go:build ledger

package ledger

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tolerance is how much a value may grow during a soak: a share of its first value, and a constant.
type tolerance struct {
	share, more float64
	unit        float64 // the unit of the output
}

var (
	goroutineTolerance  = tolerance{0.05, 3, 1}
	memoryTolerance     = tolerance{0.05, 4 << 20, 1 << 20}
	descriptorTolerance = tolerance{0, 3, 1}
	connectionTolerance = tolerance{0, 2, 1}
	serverTolerance     = tolerance{0.05, 1 << 20, 1 << 20}
	keyTolerance        = tolerance{0, 0.5, 1}
)

// point is one measured value.
type point struct {
	at    time.Time
	value float64
}

// series is all measured values of one kind.
type series struct {
	name      string
	tolerance tolerance
	points    []point
}

// gauges holds the series of a soak, in the order in which they were first seen.
type gauges struct{ all []*series }

func (g *gauges) note(name string, allowed tolerance, value float64) {
	i := slices.IndexFunc(g.all, func(s *series) bool { return s.name == name })
	if i < 0 {
		i = len(g.all)
		g.all = append(g.all, &series{name: name, tolerance: allowed})
	}
	g.all[i].points = append(g.all[i].points, point{time.Now(), value})
}

// sample measures the processes and the server.
func (g *gauges) sample(t testing.TB, client redis.UniversalClient, stayers []longLived) {
	t.Helper()
	list, err := client.ClientList(t.Context()).Result()
	require.NoError(t, err)
	for _, s := range stayers {
		s.requireAlive(t)
		values := ownGauges(t, s.Metrics)
		g.note(s.Name+": goroutines", goroutineTolerance, values["go_goroutines"])
		g.note(s.Name+": resident memory, MiB", memoryTolerance, values["process_resident_memory_bytes"])
		g.note(s.Name+": descriptors", descriptorTolerance, values["process_open_fds"])
		g.note(s.Name+": connections", connectionTolerance, float64(strings.Count(list, " name="+s.Name+" ")))
	}
	memory, err := client.Info(t.Context(), "memory").Result()
	require.NoError(t, err)
	_, used, _ := strings.Cut(memory, "\r\nused_memory:")
	used, _, _ = strings.Cut(used, "\r\n")
	bytes, err := strconv.ParseFloat(used, 64)
	require.NoError(t, err)
	g.note("redis: used memory, MiB", serverTolerance, bytes)
	keys, err := client.DBSize(t.Context()).Result()
	require.NoError(t, err)
	g.note("redis: keys", keyTolerance, float64(keys))
}

// ownGauges returns the metrics of a process that have no labels.
func ownGauges(t testing.TB, address string) map[string]float64 {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if name, number, _ := strings.Cut(strings.TrimSpace(line), " "); !strings.ContainsAny(name, "#{") {
			values[name], err = strconv.ParseFloat(number, 64)
			require.NoError(t, err, line)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "process_open_fds"} {
		require.Positive(t, values[name], name)
	}
	return values
}

// requireFlat logs all series and fails the test for every series that grows after a time.
func (g *gauges) requireFlat(t testing.TB, from time.Time) {
	t.Helper()
	require.NotEmpty(t, g.all)
	for _, s := range g.all {
		f := s.from(from).flatness()
		allowed := s.tolerance.share*f.first + s.tolerance.more
		unit := s.tolerance.unit
		figure(
			t,
			s.name,
			"%.1f, then %.1f; slope %+.2f over all, %.2f allowed (%d samples, %.1f to %.1f)",
			f.first/unit,
			f.second/unit,
			f.growth/unit,
			allowed/unit,
			f.samples,
			f.least/unit,
			f.most/unit,
		)
		assert.LessOrEqual(
			t,
			f.second-f.first,
			allowed,
			"%s: the median of the second half is higher than that of the first",
			s.name,
		)
		assert.LessOrEqual(t, f.growth, allowed, "%s: the values rise from the beginning to the end", s.name)
	}
}

// from returns the part of a series after a time.
func (s *series) from(moment time.Time) *series {
	i, _ := slices.BinarySearchFunc(s.points, moment, func(p point, m time.Time) int { return p.at.Compare(m) })
	return &series{s.name, s.tolerance, s.points[i:]}
}

// flatness describes how the values of a series change.
type flatness struct {
	samples       int
	first, second float64 // medians of the halves
	least, most   float64
	growth        float64 // from beginning to end, on a line through the values
}

func (s *series) flatness() flatness {
	values := make([]float64, len(s.points))
	for i, p := range s.points {
		values[i] = p.value
	}
	half := len(values) / 2
	return flatness{
		samples: len(values), first: median(values[:half]), second: median(values[half:]),
		least: slices.Min(values), most: slices.Max(values), growth: s.slope() * s.length(),
	}
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

func (s *series) length() float64 { return s.points[len(s.points)-1].at.Sub(s.points[0].at).Seconds() }

// slope returns the median of the slopes between values that are at least half of the total time
// apart. A few outliers, as while a member joins, do not matter.
func (s *series) slope() float64 {
	var slopes []float64
	for i, p := range s.points {
		for _, q := range s.points[i+1:] {
			if apart := q.at.Sub(p.at).Seconds(); apart >= s.length()/2 {
				slopes = append(slopes, (q.value-p.value)/apart)
			}
		}
	}
	slices.SortFunc(slopes, cmp.Compare[float64])
	return slopes[len(slopes)/2]
}

// A value that grows is detected, however much it varies; a value that only varies is not.
func TestSoakDetectsGrowth(t *testing.T) {
	for name, c := range map[string]struct {
		value func(i int) float64
		rises bool
	}{
		"even":              {func(int) float64 { return 50 }, false},
		"in turn":           {func(i int) float64 { return 50 + float64(i%7)*5 }, false},
		"falling":           {func(i int) float64 { return 100 - float64(i)/10 }, false},
		"a few outliers":    {func(i int) float64 { return 50 + 500*float64(max(0, i%40-38)) }, false},
		"rising":            {func(i int) float64 { return 50 + float64(i)/20 }, true},
		"rising and jumpy":  {func(i int) float64 { return 50 + float64(i)/20 + float64(i%7)*5 }, true},
		"higher since then": {func(i int) float64 { return 50 + 10*float64(min(1, i/150)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &series{}
			for i := range 200 {
				s.points = append(s.points, point{time.Unix(int64(i*2), 0), c.value(i)})
			}
			f := s.flatness()
			require.Equal(t, c.rises, f.second-f.first > 4 || f.growth > 4, "%+v", f)
		})
	}
}
