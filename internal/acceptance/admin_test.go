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

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// trail is the offsets of each partition in the order in which the members of a group received
// them.
type trail struct {
	mu      sync.Mutex
	offsets map[int][]string
	members map[string]bool
	bodies  map[string]int
}

func newTrail() *trail {
	return &trail{offsets: map[int][]string{}, members: map[string]bool{}, bodies: map[string]int{}}
}

func (tr *trail) take(member string, batch service.MessageBatch) error {
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

func (tr *trail) of(partition int) []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.offsets[partition])
}

// ends reports whether the last that was received of every partition is its last entry.
func (tr *trail) ends(all [][]string) bool {
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

// patientFields let a busy machine take its time: no lease ends but by what the test does.
const patientFields = "session_timeout: 30s\nheartbeat_interval: 2s\ncommit_period: 20ms\nbatch_size: 20\n"

// startReader adds a member that leaves a trail, until t ends.
func startReader(t *testing.T, url, name, fields string, tr *trail) *reader {
	t.Helper()
	r := &reader{journal: &journal{}, mux: http.NewServeMux()}
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(r.journal, nil)))
	builder.SetHTTPMux(r.mux)
	builder.SetThreads(1)
	yaml := "rafka:\n"
	own := "url: " + url + "\nstream_name: orders\nconsumer_group: readers\nconsumer_name: " + name + "\n"
	for line := range strings.Lines(own + patientFields + fields) {
		yaml += "  " + line
	}
	require.NoError(t, builder.AddInputYAML(yaml))
	require.NoError(
		t,
		builder.AddBatchConsumerFunc(
			func(_ context.Context, batch service.MessageBatch) error { return tr.take(name, batch) },
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
			t.Logf("it logged:\n%s", fmt.Sprint(log.Lines()))
		}
	})
}

// entriesOf are the offsets of all entries of each partition.
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

// traffic writes to all partitions, on and on.
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
			case <-time.After(time.Millisecond): // the load of a modest machine
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

// more waits until so many more have been written.
func (f *traffic) more(t *testing.T, n int) {
	t.Helper()
	goal := f.count() + n
	require.Eventually(
		t,
		func() bool { return f.count() >= goal },
		2*time.Minute,
		5*time.Millisecond,
		"nothing is written any more",
	)
}

func (f *traffic) finish(t *testing.T) {
	t.Helper()
	close(f.stop)
	require.NoError(t, <-f.ended)
}

// Each partition's trail is what it holds, in order, until the member noticed the seek, and from
// there on what follows the new offset: nothing is missing, doubled or out of order.
func TestSeekUnderLoadDeliversExactlyWhatFollows(t *testing.T) {
	t.Parallel()
	const count = 4
	server := redistest.Start(t)
	client := server.Client(t)
	admin := broker.NewAdmin(client)
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", count)
	require.NoError(t, err)
	tr := newTrail()
	members := []*reader{startReader(t, server.URL(), "ann", "", tr), startReader(t, server.URL(), "bob", "", tr)}
	load := startTraffic(func(n int) error {
		return client.XAdd(context.Background(), &redis.XAddArgs{
			Stream: fmt.Sprintf(
				"orders:%d",
				n%count,
			),
			Values: []string{"body", strconv.Itoa(n), broker.KeyField, strconv.Itoa(n % 20)},
		}).Err()
	})
	shared := func() broker.GroupDescription {
		var group broker.GroupDescription
		require.Eventually(t, func() bool {
			group, err = admin.DescribeGroup(t.Context(), "orders", "readers")
			owned := map[string]int{}
			for _, p := range group.Partitions {
				owned[p.Owner]++
			}
			return err == nil && len(owned) == 2 && owned[""] == 0
		}, time.Minute, 10*time.Millisecond, "each member reads two partitions")
		return group
	}
	shared()
	load.more(t, 1000)
	middle := entriesOf(t, client, 1)[0]
	at, err := splits.ParseOffset(middle[len(middle)/2])
	require.NoError(t, err)

	var seeks []broker.Sought
	for _, to := range []string{"earliest", time.UnixMilli(int64(at.Millis)).UTC().Format(time.RFC3339Nano), "latest"} {
		before := shared()
		sought, err := admin.SeekGroup(t.Context(), broker.Seek{Topic: "orders", Group: "readers", To: to})
		require.NoError(t, err)
		seeks = append(seeks, sought)
		after := shared()
		for i := range after.Partitions {
			assert.Greater(
				t,
				after.Partitions[i].Epoch,
				before.Partitions[i].Epoch+1,
				"the seek raised it, and a claim",
			)
		}
		load.more(t, 20*count) // which nobody can have received under the old leases
		goal := entriesOf(t, client, count)
		require.Eventually(
			t,
			func() bool { return reached(tr, goal) },
			2*time.Minute,
			10*time.Millisecond,
			"it catches up after %s",
			to,
		)
	}
	load.finish(t)
	all := entriesOf(t, client, count)
	require.Eventually(t, func() bool { return tr.ends(all) }, 2*time.Minute, 10*time.Millisecond)
	for p := range count {
		var starts []splits.Offset
		for _, s := range seeks {
			starts = append(starts, s.Partitions[p].After)
		}
		checkTrail(t, p, tr.of(p), all[p], starts)
	}
	for _, m := range members {
		assert.GreaterOrEqual(
			t,
			len(m.journal.Lines("level=INFO", "was moved")),
			3,
			"its commits were fenced by each seek",
		)
		assert.Empty(t, m.journal.Lines("level=WARN"))
		assert.Empty(t, m.journal.Lines("level=ERROR"))
		assert.Equal(t, 200, m.ready())
	}
	assert.Len(t, tr.members, 2)
}

// reached reports whether of every partition the last of the entries has been received.
func reached(tr *trail, goal [][]string) bool {
	for p, entries := range goal {
		last, err := splits.ParseOffset(entries[len(entries)-1])
		got := tr.of(p)
		if err != nil || len(got) == 0 {
			return false
		}
		newest, err := splits.ParseOffset(got[len(got)-1])
		if err != nil || newest.Before(last) {
			return false
		}
	}
	return true
}

// checkTrail requires that what was received is all, in order, save for one jump behind the offset
// of each seek. Where the last seek leads is where a member may have been at that moment: then
// there is no jump.
func checkTrail(t *testing.T, partition int, got, all []string, seeks []splits.Offset) {
	t.Helper()
	next, used := 0, 0
	for i, offset := range got {
		if next < len(all) && offset == all[next] {
			next++
			continue
		}
		require.Less(
			t,
			used,
			len(seeks),
			"partition %d: %s came at %d, where %s was due",
			partition,
			offset,
			i,
			all[min(next, len(all)-1)],
		)
		next = behind(t, all, seeks[used])
		require.Equal(t, all[next], offset, "partition %d: the first entry after seek %d, at %d", partition, used, i)
		used++
		next++
	}
	assert.Equal(t, len(all), next, "partition %d ends where its stream does", partition)
	assert.GreaterOrEqual(t, used, len(seeks)-1, "partition %d was moved", partition)
}

// behind is the place of the first entry after an offset.
func behind(t *testing.T, all []string, offset splits.Offset) int {
	t.Helper()
	return slices.IndexFunc(all, func(id string) bool {
		at, err := splits.ParseOffset(id)
		require.NoError(t, err)
		return offset.Before(at)
	})
}

// A running output uses new partitions, and a running input reads them from their first entry even
// if it started at the latest.
func TestTopicGrowsUnderLoad(t *testing.T) {
	t.Parallel()
	const before, after = 2, 6
	server := redistest.Start(t)
	client := server.Client(t)
	admin := broker.NewAdmin(client)
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", before)
	require.NoError(t, err)
	tr := newTrail()
	member := startReader(t, server.URL(), "ann", "start_offset: latest\n", tr)
	require.Eventually(t, func() bool {
		group, err := admin.DescribeGroup(t.Context(), "orders", "readers")
		return err == nil &&
			!slices.ContainsFunc(group.Partitions, func(p broker.GroupPartition) bool { return p.Owner == "" })
	}, time.Minute, 10*time.Millisecond)

	builder, log := service.NewStreamBuilder(), &journal{}
	builder.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(
		t,
		builder.AddOutputYAML("rafka:\n  url: "+server.URL()+"\n  stream_name: orders\n  key: ${! @key }\n"),
	)
	push, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	runStream(t, builder, log)
	load := startTraffic(func(n int) error {
		m := service.NewMessage([]byte(strconv.Itoa(n)))
		m.MetaSetMut("key", strconv.Itoa(n%50))
		return push(context.Background(), service.MessageBatch{m})
	})
	load.more(t, 200)
	require.NoError(
		t,
		client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders:5", Values: []string{"body", "early"}}).Err(),
	)
	_, err = admin.GrowTopic(t.Context(), "orders", after)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(
			entriesOf(t, client, after),
			func(entries []string) bool { return len(entries) < 10 },
		)
	}, 2*time.Minute, 50*time.Millisecond, "the output uses all partitions")
	load.finish(t)

	all := entriesOf(t, client, after)
	require.Eventually(t, func() bool { return tr.ends(all) }, 2*time.Minute, 10*time.Millisecond)
	for p := range after {
		assert.Equal(t, all[p], tr.of(p), "partition %d", p)
	}
	assert.Len(t, tr.bodies, load.count()+1)
	assert.Equal(t, 1, tr.bodies["early"])
	for _, j := range []*journal{member.journal, log} {
		assert.Empty(t, j.Lines("level=ERROR"))
	}
	assert.Equal(t, 200, member.ready())
}
