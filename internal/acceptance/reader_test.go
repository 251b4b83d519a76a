package acceptance

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// receivedOffsets records the offsets of each partition in the order in which the members of a
// group received them.
type receivedOffsets struct {
	mu      sync.Mutex
	offsets map[int][]string
	members map[string]bool
	bodies  map[string]int
}

func newReceivedOffsets() *receivedOffsets {
	return &receivedOffsets{offsets: map[int][]string{}, members: map[string]bool{}, bodies: map[string]int{}}
}

func (tr *receivedOffsets) record(member string, batch service.MessageBatch) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, m := range batch {
		text, _ := m.MetaGet("rafka_partition")
		partition, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		body, err := m.AsBytes()
		if err != nil {
			return err
		}
		offset, _ := m.MetaGet("rafka_offset")
		tr.offsets[partition] = append(tr.offsets[partition], offset)
		tr.bodies[string(body)]++
		tr.members[member] = true
	}
	return nil
}

func (tr *receivedOffsets) of(partition int) []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.offsets[partition])
}

// atEnd reports whether the last received entry of every partition is its last entry.
func (tr *receivedOffsets) atEnd(all [][]string) bool {
	for p, entries := range all {
		if got := tr.of(p); len(entries) > 0 && (len(got) == 0 || got[len(got)-1] != entries[len(entries)-1]) {
			return false
		}
	}
	return true
}

// reader is a running member of the group readers.
type reader struct {
	journal *journal
	mux     *http.ServeMux
}

func (r *reader) ready() int {
	answer := httptest.NewRecorder()
	r.mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/ready", nil))
	return answer.Code
}

// longSession lets a busy machine take its time: leases end only where the test ends them.
const longSession = "session_timeout: 30s\nheartbeat_interval: 2s\ncommit_period: 20ms\nbatch_size: 20\n"

// startReader adds a member that records its offsets, until t ends. The fields replace the ones that
// it sets by default.
func startReader(t *testing.T, url, name, fields string, tr *receivedOffsets) *reader {
	t.Helper()
	r := &reader{journal: &journal{}, mux: http.NewServeMux()}
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(r.journal, nil)))
	builder.SetHTTPMux(r.mux)
	builder.SetThreads(1)
	yaml := "rafka:\n"
	own := "url: " + url + "\nstream_name: orders\nconsumer_group: readers\nconsumer_name: " + name + "\n"
	for line := range strings.Lines(own + longSession) {
		if field, _, _ := strings.Cut(line, ":"); !strings.Contains("\n"+fields, "\n"+field+":") {
			yaml += "  " + line
		}
	}
	for line := range strings.Lines(fields) {
		yaml += "  " + line
	}
	require.NoError(t, builder.AddInputYAML(yaml))
	require.NoError(
		t,
		builder.AddBatchConsumerFunc(
			func(_ context.Context, batch service.MessageBatch) error { return tr.record(name, batch) },
		),
	)
	runStream(t, builder, r.journal)
	return r
}

// runStream runs a stream until t ends.
func runStream(t *testing.T, builder *service.StreamBuilder, log *journal) {
	t.Helper()
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by the cleanup
	t.Cleanup(func() {
		assert.NoError(t, stream.StopWithin(10*time.Second))
		assert.NoError(t, <-ended)
		if t.Failed() {
			t.Logf("the stream logged:\n%s", fmt.Sprint(log.Lines()))
		}
	})
}

// entriesOf returns the offsets of all entries of each partition.
func entriesOf(t *testing.T, client redis.UniversalClient, partitions int) [][]string {
	t.Helper()
	all := make([][]string, partitions)
	for p := range all {
		entries, err := client.XRange(t.Context(), fmt.Sprintf("orders:%d", p), "-", "+").Result()
		require.NoError(t, err)
		for _, entry := range entries {
			all[p] = append(all[p], entry.ID)
		}
	}
	return all
}

// traffic writes to all partitions continuously.
type traffic struct {
	stop    chan struct{}
	ended   chan error
	mu      sync.Mutex
	written int
}

func startTraffic(write func(n int) error) *traffic {
	f := &traffic{stop: make(chan struct{}), ended: make(chan error, 1)}
	go func() { // ended by finish
		for n := 0; ; n++ {
			select {
			case <-f.stop:
				f.ended <- nil
				return
			case <-time.After(time.Millisecond): // the load that a small machine can handle
			}
			if err := write(n); err != nil {
				f.ended <- err
				return
			}
			f.mu.Lock()
			f.written++
			f.mu.Unlock()
		}
	}()
	return f
}

func (f *traffic) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.written
}

// awaitMore waits until n more messages have been written.
func (f *traffic) awaitMore(t *testing.T, n int) {
	t.Helper()
	goal := f.count() + n
	require.Eventually(
		t,
		func() bool { return f.count() >= goal },
		2*time.Minute,
		5*time.Millisecond,
		"nothing more is written",
	)
}

func (f *traffic) finish(t *testing.T) {
	t.Helper()
	close(f.stop)
	require.NoError(t, <-f.ended)
}
