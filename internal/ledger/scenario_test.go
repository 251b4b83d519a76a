//go:build ledger

package ledger

import (
	"fmt"
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
	partitions = 8
	// patience is for everything whose time is not what a test is about.
	patience = time.Minute
)

// scenario is one redis-server with a topic of eight partitions, and the processes that write and read it.
type scenario struct {
	route
	dir       string
	redis     *redistest.Server
	client    *redis.Client
	producer  *process
	in        book
	consumers []*member
}

// member is a consumer and its ledger.
type member struct {
	*process
	*outBook
}

// newScenario starts a server and creates the topic by the binary's own command.
func newScenario(t testing.TB, redisArgs ...string) *scenario {
	t.Helper()
	server := redistest.Start(t, redisArgs...)
	s := &scenario{
		route: route{URL: server.URL(), Topic: "ledger", Partitions: partitions, Group: "accountants"},
		dir:   t.TempDir(), redis: server, client: server.Client(t),
	}
	out, err := exec.Command(binary, "topic", "create", s.Topic, "--partitions", strconv.Itoa(partitions), "--url", s.URL).CombinedOutput()
	require.NoError(t, err, "creating the topic: %s", out)
	return s
}

// generate starts a producer of perSecond messages.
func (s *scenario) generate(t testing.TB, perSecond int, options ...func(*generated)) {
	t.Helper()
	s.in = book{file: tail{path: filepath.Join(s.dir, "entry-book")}}
	g := generated{route: s.route, PerSecond: perSecond, Book: s.in.file.path}
	for _, change := range options {
		change(&g)
	}
	s.producer = launch(t, s.dir, "producer", render(t, generatedConfig, g))
}

// consume starts a consumer. Those of one scenario have different names.
func (s *scenario) consume(t testing.TB, name string, options ...func(*consumer)) *member {
	t.Helper()
	c := consumer{
		route: s.route, Name: name, Ledger: filepath.Join(s.dir, name+".ledger"),
		// There is nearly always something in the pipeline, and no partition waits there for another.
		BatchSize: 500, Threads: partitions, Work: 5 * time.Millisecond,
	}
	for _, change := range options {
		change(&c)
	}
	m := &member{launch(t, s.dir, name, render(t, consumerConfig, c)), &outBook{by: name, file: tail{path: c.Ledger}}}
	s.consumers = append(s.consumers, m)
	return m
}

// awaitShares waits until exactly these consumers hold all partitions among them, evenly, and returns the leases.
func (s *scenario) awaitShares(t testing.TB, names ...string) (all []lease) {
	t.Helper()
	least := partitions / len(names)
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

// refresh reads what is new in all ledgers and returns it.
func (s *scenario) refresh(t testing.TB) (fresh []record) {
	t.Helper()
	for _, m := range s.consumers {
		fresh = append(fresh, m.outBook.refresh(t)...)
	}
	return fresh
}

// settle ends the input and waits until all that went in has come out, or fails naming what is missing. It returns the account.
func (s *scenario) settle(t testing.TB) *account {
	t.Helper()
	s.producer.terminate(t)
	s.producer.join(t, stopWithin)
	s.in.refresh(t)
	require.NotEmpty(t, s.in.numbers, "nothing went in")
	return s.balance(t, s.in.numbers)
}

// balance waits until all these lines have come out, stops the consumers and returns the account.
func (s *scenario) balance(t testing.TB, entered []int64) *account {
	t.Helper()
	s.refresh(t)
	deadline := time.Now().Add(patience)
	for missing := s.account().missing(entered); len(missing) > 0; missing = s.account().missing(entered) {
		if time.Now().After(deadline) {
			shown := missing[:min(len(missing), 20)]
			require.Fail(t, "messages were lost", "%d of %d did not come out within %s: %v ...; the leases: %+v",
				len(missing), len(entered), patience, shown, s.leases(t))
		}
		await(t, patience, "more messages to come out", func() bool { return len(s.refresh(t)) > 0 || time.Now().After(deadline) })
	}
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

// stopConsumers lets all that still run leave at once.
func (s *scenario) stopConsumers(t testing.TB) {
	t.Helper()
	var running []*member
	for _, m := range s.consumers {
		select {
		case <-m.done:
		default:
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
