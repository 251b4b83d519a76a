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

// ordeal is one trouble of a server that an idle pipeline and a busy producer have to outlive: they
// say what is wrong and what to do about it, the pipeline is not ready meanwhile, they ask little
// of the server, and go on by themselves, with nothing lost, nothing written twice and every key in
// order.
type ordeal struct {
	args        []string // of the server
	spoil, mend action
	says        []string // the words of a line that each of them logs
	passes      bool     // by itself, and mend waits for that
}

const (
	lasting = 2 * time.Second // how long an ordeal goes on once it was told
	// bearable is how much per second may be asked of a server in trouble: in peace it is about 70,
	// and a loop without a pause takes thousands.
	bearable = 500
)

func (o ordeal) run(t *testing.T) {
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

	burden := burdenOf(t, client)
	o.spoil(t, server, client)
	busy.send(t)
	awaitTold(t, p.journal, o.says...)
	awaitTold(t, busy.journal, o.says...)
	p.awaitReady(t, 503)
	if !o.passes {
		<-time.After(lasting)
		assert.Equal(t, 503, p.ready())
	}
	o.mend(t, server, client)
	burden.requireBearable(t, client)
	busy.requireSent(t, client)

	source.write(t, 200)
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	p.requireToldOnce(t)
	awaitCommitted(t, client)
	source.requireNoneTwice(t, p)
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

// send begins to write the batch.
func (b *busy) send(t *testing.T) {
	t.Helper()
	var batch service.MessageBatch
	for i := range toSend {
		batch = append(batch, service.NewMessage([]byte(strconv.Itoa(i))))
	}
	go func() { b.ended <- b.write(t.Context(), batch) }() // joined by requireSent, or ended with t
}

// requireSent waits until the batch was written, and requires that it was once, in order.
func (b *busy) requireSent(t *testing.T, client *redis.Client) {
	t.Helper()
	select {
	case err := <-b.ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "the batch is not written")
	}
	entries, err := client.XRange(t.Context(), "sent", "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, 1+toSend)
	for i, entry := range entries[1:] {
		require.Equal(t, strconv.Itoa(i), entry.Values["body"])
	}
	requireOutputToldOnce(t, b.journal)
}

// awaitTold waits until a line was logged that has all of the words.
func awaitTold(t *testing.T, j *journal, words ...string) {
	t.Helper()
	require.Eventually(
		t,
		func() bool { return len(j.Lines(words...)) > 0 },
		time.Minute,
		20*time.Millisecond,
		"no line has all of %q",
		words,
	)
}

// requireToldOnce requires that nobody repeats himself at every attempt: the input has a line for
// each trouble and each new reason of it.
func (p *pipeline) requireToldOnce(t *testing.T) {
	t.Helper()
	const reasons = 3 // a busy machine may not answer in time either
	over := len(p.journal.Lines("Trouble with redis is over"))
	assert.LessOrEqual(t, len(p.journal.Lines("Trouble with redis, trying again")), over+1)
	assert.LessOrEqual(t, len(p.journal.Lines("path=root.input", "level=ERROR")), reasons*(over+1))
	requireOutputToldOnce(t, p.journal)
}

// requireOutputToldOnce requires that an output tells of an outage once, and the engine less and
// less often that it can't connect.
func requireOutputToldOnce(t *testing.T, j *journal) {
	t.Helper()
	assert.LessOrEqual(t, len(j.Lines("is being retried")), 1+len(j.Lines("Writing works again")))
	assert.LessOrEqual(t, len(j.Lines("path=root.output", "level=ERROR")), 6)
}

// requireNoneTwice requires that every number was copied once. Where leases were lost, what was in
// the pipeline then may have come again.
func (s *source) requireNoneTwice(t *testing.T, p *pipeline) {
	t.Helper()
	s.requireNoneTwiceBut(t, p, 0)
}

// requireNoneTwiceBut is requireNoneTwice where so many copies are gone.
func (s *source) requireNoneTwiceBut(t *testing.T, p *pipeline, gone int64) {
	t.Helper()
	for i := range 4 {
		n, err := s.client.XLen(t.Context(), fmt.Sprintf("copies:%d", i)).Result()
		require.NoError(t, err)
		gone += n
	}
	again := partitions * batchSize * len(p.journal.Lines("Lost the lease"))
	assert.LessOrEqual(t, gone, int64(s.next+again))
}

// batchSize is that of the pipelines.
const batchSize = 20

// burden is what a server had been asked at a time.
type burden struct {
	run                string
	commands, troubles int
	at                 time.Time
}

// burdenOf counts commands, those in scripts included, and refusals and new connections.
func burdenOf(t *testing.T, client *redis.Client) burden {
	t.Helper()
	var info string
	require.Eventually(t, func() (answered bool) {
		var err error
		info, err = client.Info(t.Context()).Result()
		return err == nil
	}, time.Minute, time.Millisecond)
	b := burden{at: time.Now()}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, _ := strconv.Atoi(value)
		switch name {
		case "run_id":
			b.run = value
		case "total_commands_processed":
			b.commands = n
		case "total_error_replies", "total_connections_received", "rejected_connections":
			b.troubles += n
		}
	}
	return b
}

// requireBearable requires that little was asked since then.
func (b burden) requireBearable(t *testing.T, client *redis.Client) {
	t.Helper()
	now := burdenOf(t, client)
	asked := now.commands - b.commands + now.troubles - b.troubles
	if now.run != b.run {
		asked = now.troubles // it was started again, and counts what it loads as commands
	}
	rate := float64(asked) / now.at.Sub(b.at).Seconds()
	t.Logf("%.0f per second were asked of the server", rate)
	assert.LessOrEqual(t, rate, float64(bearable))
}
