package acceptance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// outage is one kind of outage that an idle pipeline and a busy producer have to survive. They log
// what is wrong and the remedy, the pipeline is not ready meanwhile, they send few requests, and
// they recover without help: nothing is lost or written twice, and every key stays in order.
type outage struct {
	args                []string // arguments of the server
	breakServer, repair action
	logs                []string // words of a line that both log
	recoversAlone       bool     // the outage ends without repair, which only waits for that
}

const (
	outageLasts = 2 * time.Second // how long an outage lasts after it was logged
	// maxLoad bounds the requests per second to a server in an outage: normally there are about 70,
	// and a loop without a pause sends thousands.
	maxLoad = 500
)

func (o outage) run(t *testing.T) {
	t.Helper()
	server := redistest.Start(t, o.args...)
	client := server.Client(t, func(o *redis.Options) { o.PoolSize = 1 })
	source := newSource(t, client)
	p := start(t, copier{url: server.URL()})
	p.awaitReady(t, 200)
	source.write(t, 200)
	source.awaitCopies(t, 0)
	awaitCommitted(t, client)

	busy := startBusy(t, server)

	load := loadOf(t, client)
	o.breakServer(t, server, client)
	busy.send(t)
	awaitLogged(t, p.journal, o.logs...)
	awaitLogged(t, busy.journal, o.logs...)
	p.awaitReady(t, 503)
	if !o.recoversAlone {
		<-time.After(outageLasts)
		assert.Equal(t, 503, p.ready())
	}
	o.repair(t, server, client)
	load.requireLowLoad(t, client)
	busy.requireSent(t, client)

	source.write(t, 200)
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	p.requireLoggedOnce(t)
	awaitCommitted(t, client)
	source.requireNoDuplicates(t, p)
	assert.Empty(t, p.journal.Lines("was recreated"))
}

// busy is a stream that has one batch to write.
type busy struct {
	write   service.MessageBatchHandlerFunc
	journal *journal
	ended   chan error
}

const toSend = 10

// startBusy runs a stream that has written a batch to the topic sent.
func startBusy(t *testing.T, s *redistest.Server) *busy {
	t.Helper()
	b := &busy{ended: make(chan error, 1)}
	b.write, b.journal = producer(t, service.GlobalEnvironment(), "url: "+s.URL(), `stream_name: sent
read_timeout: 500ms
backoff: {initial_interval: 20ms, max_interval: 200ms}`)
	require.NoError(t, b.write(t.Context(), service.MessageBatch{service.NewMessage([]byte("before"))}))
	return b
}

// send starts to write the batch.
func (b *busy) send(t *testing.T) {
	t.Helper()
	var batch service.MessageBatch
	for i := range toSend {
		batch = append(batch, service.NewMessage([]byte(strconv.Itoa(i))))
	}
	go func() { b.ended <- b.write(t.Context(), batch) }() // joined by requireSent, or ended with t
}

// requireSent waits until the batch is written, and checks that it was written once, in order.
func (b *busy) requireSent(t *testing.T, client *redis.Client) {
	t.Helper()
	select {
	case err := <-b.ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "the batch was not written")
	}
	entries, err := client.XRange(t.Context(), "sent", "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, 1+toSend)
	for i, entry := range entries[1:] {
		require.Equal(t, strconv.Itoa(i), entry.Values["body"])
	}
	requireOutputLoggedOnce(t, b.journal)
}

// awaitLogged waits until a line with all of the words was logged.
func awaitLogged(t *testing.T, j *journal, words ...string) {
	t.Helper()
	require.Eventually(
		t,
		func() bool { return len(j.Lines(words...)) > 0 },
		time.Minute,
		20*time.Millisecond,
		"no line contains all of %q",
		words,
	)
}

// requireLoggedOnce checks that no component logs every attempt: the input logs one line per outage
// and one per new cause.
func (p *pipeline) requireLoggedOnce(t *testing.T) {
	t.Helper()
	const reasons = 3 // on a busy machine, requests can also time out
	over := len(p.journal.Lines("Redis available again"))
	assert.LessOrEqual(t, len(p.journal.Lines("Redis unavailable, retrying")), over+1)
	assert.LessOrEqual(t, len(p.journal.Lines("path=root.input", "level=ERROR")), reasons*(over+1))
	requireOutputLoggedOnce(t, p.journal)
}

// requireOutputLoggedOnce checks that an output logs an outage once, and that the engine logs
// failed connections at growing intervals.
func requireOutputLoggedOnce(t *testing.T, j *journal) {
	t.Helper()
	assert.LessOrEqual(t, len(j.Lines("is being retried")), 1+len(j.Lines("Writing works again")))
	assert.LessOrEqual(t, len(j.Lines("path=root.output", "level=ERROR")), 6)
}

// requireNoDuplicates checks that every number was copied once. Where leases were lost, batches in
// flight may have been copied again.
func (s *source) requireNoDuplicates(t *testing.T, p *pipeline) {
	t.Helper()
	s.requireNoDuplicatesExcept(t, p, 0)
}

// requireNoDuplicatesExcept is requireNoDuplicates where the given number of copies were lost.
func (s *source) requireNoDuplicatesExcept(t *testing.T, p *pipeline, gone int64) {
	t.Helper()
	for i := range 4 {
		n, err := s.client.XLen(t.Context(), fmt.Sprintf("copies:%d", i)).Result()
		require.NoError(t, err)
		gone += n
	}
	again := partitions * batchSize * len(p.journal.Lines("Lost the lease"))
	assert.LessOrEqual(t, gone, int64(s.next+again))
}

// batchSize is the batch_size of the pipelines.
const batchSize = 20

// serverLoad is what a server has processed until a time.
type serverLoad struct {
	runID            string
	commands, errors int
	at               time.Time
}

// loadOf counts commands, including commands in scripts, and errors and new connections.
func loadOf(t *testing.T, client *redis.Client) serverLoad {
	t.Helper()
	var info string
	require.Eventually(t, func() (answered bool) {
		var err error
		info, err = client.Info(t.Context()).Result()
		return err == nil
	}, time.Minute, time.Millisecond)
	b := serverLoad{at: time.Now()}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, _ := strconv.Atoi(value)
		switch name {
		case "run_id":
			b.runID = value
		case "total_commands_processed":
			b.commands = n
		case "total_error_replies", "total_connections_received", "rejected_connections":
			b.errors += n
		}
	}
	return b
}

// requireLowLoad checks that there were few requests since then.
func (b serverLoad) requireLowLoad(t *testing.T, client *redis.Client) {
	t.Helper()
	now := loadOf(t, client)
	requests := now.commands - b.commands + now.errors - b.errors
	if now.runID != b.runID {
		requests = now.errors // the server was restarted, and counts what it loads as commands
	}
	rate := float64(requests) / now.at.Sub(b.at).Seconds()
	t.Logf("%.0f requests per second", rate)
	assert.LessOrEqual(t, rate, float64(maxLoad))
}
