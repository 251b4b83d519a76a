package topology

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// consumers records what the members of one group have received.
type consumers struct {
	mu    sync.Mutex
	seen  map[int]int // number -> how often it was received
	order []int       // numbers in the order of their first delivery
	by    map[string]int
	keys  int // message n has key n modulo keys
}

func newConsumers() *consumers { return newConsumersOf(keys) }

// newConsumersOf is newConsumers for messages with another number of keys.
func newConsumersOf(keys int) *consumers {
	return &consumers{seen: map[int]int{}, by: map[string]int{}, keys: keys}
}

// record records a message.
func (c *consumers) record(member string, m *service.Message) error {
	body, err := m.AsBytes()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(body))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[member]++
	c.seen[n]++
	if c.seen[n] == 1 {
		c.order = append(c.order, n)
	}
	return nil
}

// orderViolation returns an error if a number was first received after a higher number with
// the same key.
func (c *consumers) orderViolation(numbers []int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted, highest := map[int]bool{}, map[int]int{}
	for _, n := range numbers {
		wanted[n] = true
	}
	for _, n := range c.order {
		if !wanted[n] {
			continue
		}
		if last, any := highest[n%c.keys]; any && last > n {
			return fmt.Errorf("%d was received after %d", n, last)
		}
		highest[n%c.keys] = n
	}
	return nil
}

// join adds a member to the group.
func (c *consumers) join(t *testing.T, name string, d deployment) (*journal, func()) {
	t.Helper()
	member := c.member(t, name, d)
	return member.log, member.stop
}

// member is join, for tests that need the stream.
func (c *consumers) member(t *testing.T, name string, d deployment) *stream {
	t.Helper()
	return instance(t, name, func(b *service.StreamBuilder) {
		require.NoError(t, b.AddInputYAML(d.component(`
consumer_group: readers
consumer_name: `+name+`
batch_size: 50
`+d.session()+`
commit_period: `+cmp.Or(d.commitPeriod, "50ms")+`
`)))
		require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
			var errs []error
			for _, m := range batch {
				errs = append(errs, c.record(name, m))
			}
			return errors.Join(errs...)
		}))
	})
}

// share returns how many messages a member has received.
func (c *consumers) share(member string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[member]
}

// missing returns some of the numbers that no member has received.
func (c *consumers) missing(numbers []int) (some []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range numbers {
		if c.seen[n] == 0 && len(some) < 10 {
			some = append(some, n)
		}
	}
	return some
}

// repeated returns the number of repeated deliveries.
func (c *consumers) repeated() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.seen {
		n += times - 1
	}
	return n
}

// count returns how many different messages were received.
func (c *consumers) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// awaitCount waits until n different messages were received.
func (c *consumers) awaitCount(t *testing.T, n int) {
	t.Helper()
	require.Eventually(
		t,
		func() bool { return c.count() >= n },
		2*time.Minute,
		5*time.Millisecond,
		"the inputs read nothing more",
	)
}

// await waits until all numbers below n were received, each key in order.
func (c *consumers) await(t *testing.T, n int) {
	t.Helper()
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	c.awaitAll(t, numbers)
}

// awaitWriters waits until everything that the writers wrote was received, each key in order.
func (c *consumers) awaitWriters(t *testing.T, writers ...*manualWriter) {
	t.Helper()
	for _, l := range writers {
		c.awaitAll(t, l.numbers())
	}
}

// awaitAll waits until all of the numbers were received, each key in order.
func (c *consumers) awaitAll(t *testing.T, numbers []int) {
	t.Helper()
	if !assert.Eventually(t, func() bool { return len(c.missing(numbers)) == 0 }, 2*time.Minute, 20*time.Millisecond) {
		t.Fatalf("some of %d numbers are missing: %v", len(numbers), c.missing(numbers))
	}
	require.NoError(t, c.orderViolation(numbers))
}
