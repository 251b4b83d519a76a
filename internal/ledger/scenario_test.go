//go:build ledger

package ledger

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	// partitions is how many the topic has unless a test says otherwise.
	partitions = 8
	// producerKeys is how many keys each producer has, all its own.
	producerKeys = 200
	// producerRange is how many numbers each producer has, all its own.
	producerRange = 1_000_000_000
	// patience is for everything whose time is not what a test is about.
	patience = time.Minute
)

// scenario is a topic somewhere in Redis and the processes that write and read it.
type scenario struct {
	route
	dir       string
	client    redis.UniversalClient
	producers []*producer
	consumers []*member
}

// producer is a process that makes messages, and its entry book.
type producer struct {
	*process
	*book
	generated
	acknowledged int // how many, in a test that doesn't keep the numbers
}

// member is a consumer and its ledger.
type member struct {
	*process
	*outBook
	consumer
}

// newScenario starts a server and a scenario on it.
func newScenario(t testing.TB, redisArgs ...string) (*scenario, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t, redisArgs...)
	return openScenario(t, connection{URL: server.URL(), Kind: "simple"}, server.Client(t), partitions), server
}

// openScenario creates the topic by the binary's own command.
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

// generate starts a producer of perSecond messages.
func (s *scenario) generate(t testing.TB, perSecond int, options ...func(*generated)) *producer {
	t.Helper()
	i := len(s.producers)
	name := producerName(i)
	g := generated{
		route: s.route, Before: int64(i) * producerRange, Keys: keysOf(name), PerSecond: perSecond,
		Book: filepath.Join(s.dir, name+".book"),
	}
	for _, change := range options {
		change(&g)
	}
	p := &producer{launch(t, s.dir, name, render(t, generatedConfig, g)), &book{file: tail{path: g.Book}}, g, 0}
	s.producers = append(s.producers, p)
	return p
}

// producerName is that of the i-th producer.
func producerName(i int) string { return "producer" + strconv.Itoa(i+1) }

// keysOf are the keys of a producer.
func keysOf(name string) []string {
	keys := make([]string, producerKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s-%d", name, i)
	}
	return keys
}

// entered returns the numbers of all messages whose write has been acknowledged.
func (s *scenario) entered(t testing.TB) (all []int64) {
	t.Helper()
	for _, p := range s.producers {
		p.book.refresh(t)
		all = append(all, p.numbers...)
	}
	return all
}

// consume starts a consumer. Those of one scenario have different names.
func (s *scenario) consume(t testing.TB, name string, options ...func(*consumer)) *member {
	t.Helper()
	c := consumer{
		route: s.route, Name: name, Ledger: filepath.Join(s.dir, name+".ledger"),
		// There is nearly always something in the pipeline, and no partition waits there for
		// another.
		BatchSize: 500, Threads: s.Partitions, Work: 5 * time.Millisecond,
	}
	for _, change := range options {
		change(&c)
	}
	m := &member{
		launch(t, s.dir, name, render(t, consumerConfig, c)),
		&outBook{by: name, file: tail{path: c.Ledger}},
		c,
	}
	s.consumers = append(s.consumers, m)
	return m
}

// awaitShares waits until exactly these consumers hold all partitions among them, evenly, and
// returns the leases.
func (s *scenario) awaitShares(t testing.TB, names ...string) (all []lease) {
	t.Helper()
	least := s.Partitions / len(names)
	await(t, patience, fmt.Sprintf("%v to share the partitions", names), func() bool {
		all = s.leases(t)
		count := map[string]int{}
		for _, l := range all {
			count[l.owner]++
		}
		return len(count) == len(names) && !slices.ContainsFunc(names, func(n string) bool { return count[n] < least })
	})
	return all
}

// awaitReads waits until more messages have been finished that were read after a moment.
func (s *scenario) awaitReads(t testing.TB, after time.Time, more int) {
	t.Helper()
	seen := 0
	for _, m := range s.consumers {
		for _, r := range m.records {
			if r.read().After(after) {
				seen++
			}
		}
	}
	await(t, patience, fmt.Sprintf("%d more messages to be read", more), func() bool {
		for _, r := range s.refresh(t) {
			if r.read().After(after) {
				seen++
			}
		}
		return seen >= more
	})
}

// awaitRounds waits until each producer has so often more written to all of its keys.
func (s *scenario) awaitRounds(t testing.TB, more int) {
	t.Helper()
	for _, p := range s.producers {
		p.book.refresh(t)
	}
	for _, p := range s.producers {
		enough := len(p.numbers) + more*len(p.Keys)
		await(t, patience, fmt.Sprintf("%s to write to its keys %d more times", p.name, more), func() bool {
			p.book.refresh(t)
			return len(p.numbers) >= enough
		})
	}
}

// refresh reads what is new in all ledgers and returns it.
func (s *scenario) refresh(t testing.TB) (fresh []record) {
	t.Helper()
	for _, m := range s.consumers {
		fresh = append(fresh, m.outBook.refresh(t)...)
	}
	return fresh
}

// settle ends the input and waits until all that went in has come out, or fails naming what is
// missing. It returns the account.
func (s *scenario) settle(t testing.TB) *account {
	t.Helper()
	s.stopProducers(t)
	entered := s.entered(t)
	require.NotEmpty(t, entered, "nothing went in")
	return s.balance(t, entered)
}

// stopProducers lets all producers end at once.
func (s *scenario) stopProducers(t testing.TB) {
	t.Helper()
	for _, p := range s.producers {
		p.terminate(t)
	}
	for _, p := range s.producers {
		p.join(t, stopWithin)
	}
}

// balance waits until all these lines have come out, stops the consumers and returns the account.
func (s *scenario) balance(t testing.TB, entered []int64) *account {
	t.Helper()
	s.awaitLines(t, entered)
	s.stopConsumers(t)
	s.refresh(t)
	a := s.account()
	figure(t, "messages written", "%d", len(entered))
	figure(t, "messages read", "%d, of these again: %d", len(a.records), len(a.again))
	for _, m := range s.consumers {
		figure(t, "read by "+m.name, "%d", len(m.records))
	}
	return a
}

// awaitLines waits until all these lines have come out, or fails naming what is missing.
func (s *scenario) awaitLines(t testing.TB, entered []int64) {
	t.Helper()
	missing := make(map[int64]struct{}, len(entered))
	for _, line := range entered {
		missing[line] = struct{}{}
	}
	s.refresh(t)
	for _, m := range s.consumers {
		for _, r := range m.records {
			delete(missing, r.Line)
		}
	}
	deadline := time.Now().Add(patience)
	await(t, 2*patience, "all messages to come out", func() bool {
		for _, r := range s.refresh(t) {
			delete(missing, r.Line)
		}
		return len(missing) == 0 || time.Now().After(deadline)
	})
	if len(missing) > 0 {
		shown := slices.Sorted(maps.Keys(missing))[:min(len(missing), 20)]
		require.Fail(t, "messages were lost", "%d of %d did not come out within %s: %v ...; the leases: %+v",
			len(missing), len(entered), patience, shown, s.leases(t))
	}
}

// stopConsumers lets all that still run leave at once.
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

func (s *scenario) account() *account {
	books := make([]*outBook, len(s.consumers))
	for i, m := range s.consumers {
		books[i] = m.outBook
	}
	return newAccount(books)
}

// figure logs one number of a test.
func figure(t testing.TB, name, format string, args ...any) {
	t.Helper()
	t.Logf("%-46s %s", name, fmt.Sprintf(format, args...))
}
