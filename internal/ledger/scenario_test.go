//go:build ledger

package ledger

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	// partitions is how many partitions a partitioned topic has by default.
	partitions = 8
	// producerKeys is how many keys each producer has. Producers share no keys.
	producerKeys = 200
	// producerRange is how many numbers each producer has. Producers share no numbers.
	producerRange = 1_000_000_000
	// waitLimit bounds waits whose duration is not under test.
	waitLimit = time.Minute
	// patience bounds waits that fail earlier if there is no progress.
	patience = time.Hour
)

// scenario is a topic and the processes that write and read it.
type scenario struct {
	route
	dir       string
	client    redis.UniversalClient
	producers []*producer
	consumers []*member
}

// producer is a process that generates messages, and its ack log.
type producer struct {
	*process
	*ackLog
	generator
	acknowledged int // number of acknowledged messages, in a test that does not keep the numbers
}

// member is a consumer and its ledger.
type member struct {
	*process
	*consumerLedger
	consumer
}

// newScenario starts a server and a scenario on it.
func newScenario(t testing.TB, redisArgs ...string) (*scenario, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t, redisArgs...)
	return openScenario(t, connection{URL: server.URL(), Kind: "simple"}, server.Client(t), partitions), server
}

// openScenario creates the topic with the command of the binary.
func openScenario(t testing.TB, c connection, client redis.UniversalClient, partitions int) *scenario {
	t.Helper()
	s := &scenario{
		route: route{connection: c, Topic: "ledger", Partitions: partitions, Group: "accountants"},
		dir:   t.TempDir(), client: client,
	}
	out, err := exec.Command(
		binary,
		"topic",
		"create",
		s.Topic,
		"--partitions",
		strconv.Itoa(partitions),
		"--url",
		s.URL,
		"--kind",
		s.Kind,
		"--master",
		s.Master,
	).CombinedOutput()
	require.NoError(t, err, "creating the topic: %s", out)
	return s
}

// generate starts a producer of perSecond messages per second.
func (s *scenario) generate(t testing.TB, perSecond int, options ...func(*generator)) *producer {
	t.Helper()
	i := len(s.producers)
	name := producerName(i)
	g := generator{
		route: s.route, Before: int64(i) * producerRange, Keys: keysOf(name), PerSecond: perSecond,
		Book: filepath.Join(s.dir, name+".book"),
	}
	for _, change := range options {
		change(&g)
	}
	p := &producer{launch(t, s.dir, name, render(t, generatorConfig, g)), &ackLog{file: tail{path: g.Book}}, g, 0}
	s.producers = append(s.producers, p)
	return p
}

// producerName returns the name of the i-th producer.
func producerName(i int) string { return "producer" + strconv.Itoa(i+1) }

// keysOf returns the keys of a producer.
func keysOf(name string) []string {
	keys := make([]string, producerKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s-%d", name, i)
	}
	return keys
}

// entered returns the numbers of all messages whose write was acknowledged.
func (s *scenario) entered(t testing.TB) (all []int64) {
	t.Helper()
	for _, p := range s.producers {
		p.ackLog.refresh(t)
		all = append(all, p.numbers...)
	}
	return all
}

// consume starts a consumer. The name must be unique in the scenario.
func (s *scenario) consume(t testing.TB, name string, options ...func(*consumer)) *member {
	t.Helper()
	c := consumer{
		route: s.route, Name: name, Ledger: filepath.Join(s.dir, name+".ledger"),
		// The pipeline nearly always has work, and no partition waits for another one.
		BatchSize: 500, Threads: s.Partitions, Work: 5 * time.Millisecond, Session: sessionTimeout,
	}
	for _, change := range options {
		change(&c)
	}
	m := &member{
		launch(t, s.dir, name, render(t, consumerConfig, c)),
		&consumerLedger{by: name, file: tail{path: c.Ledger}},
		c,
	}
	s.consumers = append(s.consumers, m)
	return m
}

// refresh reads new lines of all ledgers and returns them.
func (s *scenario) refresh(t testing.TB) (fresh []record) {
	t.Helper()
	for _, m := range s.consumers {
		fresh = append(fresh, m.consumerLedger.refresh(t)...)
	}
	return fresh
}

// drain stops the producers and waits until every acknowledged message has been read, or fails and
// names the missing ones. It returns the deliveries.
func (s *scenario) drain(t testing.TB) *deliveries {
	t.Helper()
	s.stopProducers(t)
	entered := s.entered(t)
	require.NotEmpty(t, entered, "nothing was written")
	return s.awaitAndStop(t, entered)
}

// stopProducers terminates all producers at the same time.
func (s *scenario) stopProducers(t testing.TB) {
	t.Helper()
	for _, p := range s.producers {
		p.terminate(t)
	}
	for _, p := range s.producers {
		p.join(t, stopWithin)
	}
}

// awaitAndStop waits until the given lines have been read, stops the consumers and returns the
// deliveries.
func (s *scenario) awaitAndStop(t testing.TB, entered []int64) *deliveries {
	t.Helper()
	s.awaitLines(t, entered)
	s.stopConsumers(t)
	s.refresh(t)
	a := s.deliveries()
	figure(t, "messages written", "%d", len(entered))
	figure(t, "messages read", "%d, of these repeated: %d", len(a.records), len(a.repeated))
	for _, m := range s.consumers {
		figure(t, "read by "+m.name, "%d", len(m.records))
	}
	return a
}

// stopConsumers terminates all running consumers at the same time.
func (s *scenario) stopConsumers(t testing.TB) {
	t.Helper()
	var running []*member
	for _, m := range s.consumers {
		if !m.ended() {
			m.terminate(t)
			running = append(running, m)
		}
	}
	for _, m := range running {
		m.join(t, stopWithin)
	}
}

func (s *scenario) deliveries() *deliveries {
	books := make([]*consumerLedger, len(s.consumers))
	for i, m := range s.consumers {
		books[i] = m.consumerLedger
	}
	return mergeLedgers(books)
}

// figure logs one number of a test.
func figure(t testing.TB, name, format string, args ...any) {
	t.Helper()
	t.Logf("%-46s %s", name, fmt.Sprintf(format, args...))
}
