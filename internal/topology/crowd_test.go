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

// crowd is what the members of one group have received.
type crowd struct {
	mu    sync.Mutex
	seen  map[int]int // number -> how often
	order []int       // in which they came for the first time
	by    map[string]int
	keys  int // message n has key n modulo keys
}

func newCrowd() *crowd { return newCrowdOf(keys) }

// newCrowdOf is newCrowd for messages of another number of keys.
func newCrowdOf(keys int) *crowd {
	return &crowd{seen: map[int]int{}, by: map[string]int{}, keys: keys}
}

// take notes a message.
func (c *crowd) take(member string, m *service.Message) error {
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

// disorder is the first of the numbers that came, for the first time, after a higher one of them
// with its key.
func (c *crowd) disorder(numbers []int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked, highest := map[int]bool{}, map[int]int{}
	for _, n := range numbers {
		asked[n] = true
	}
	for _, n := range c.order {
		if !asked[n] {
			continue
		}
		if last, any := highest[n%c.keys]; any && last > n {
			return fmt.Errorf("%d came after %d", n, last)
		}
		highest[n%c.keys] = n
	}
	return nil
}

// join adds a member to the crowd.
func (c *crowd) join(t *testing.T, name string, d deployment) (*journal, func()) {
	t.Helper()
	member := c.member(t, name, d)
	return member.log, member.stop
}

// member is join, for tests that need the stream.
func (c *crowd) member(t *testing.T, name string, d deployment) *stream {
	t.Helper()
	return run(t, name, func(b *service.StreamBuilder) {
		require.NoError(t, b.AddInputYAML(d.component(`
consumer_group: crowd
consumer_name: `+name+`
batch_size: 50
`+d.session()+`
commit_period: `+cmp.Or(d.commitPeriod, "50ms")+`
`)))
		require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
			var errs []error
			for _, m := range batch {
				errs = append(errs, c.take(name, m))
			}
			return errors.Join(errs...)
		}))
	})
}

// share is how many messages a member has received.
func (c *crowd) share(member string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[member]
}

// missing are those of the numbers that nobody has seen, some of them.
func (c *crowd) missing(numbers []int) (some []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range numbers {
		if c.seen[n] == 0 && len(some) < 10 {
			some = append(some, n)
		}
	}
	return some
}

// repeated counts the messages that came more than once.
func (c *crowd) repeated() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.seen {
		n += times - 1
	}
	return n
}

// count is how many different messages have been seen.
func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// awaitCount waits until so many different messages have been seen.
func (c *crowd) awaitCount(t *testing.T, n int) {
	t.Helper()
	require.Eventually(
		t,
		func() bool { return c.count() >= n },
		2*time.Minute,
		5*time.Millisecond,
		"the inputs read no more",
	)
}

// await waits until all numbers below n have been seen, each key in order.
func (c *crowd) await(t *testing.T, n int) {
	t.Helper()
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	c.awaitAll(t, numbers)
}

// awaitLanes waits until all that the lanes wrote has been seen, each key in order.
func (c *crowd) awaitLanes(t *testing.T, lanes ...*lane) {
	t.Helper()
	for _, l := range lanes {
		c.awaitAll(t, l.numbers())
	}
}

// awaitAll waits until all of the numbers have been seen, each key in order.
func (c *crowd) awaitAll(t *testing.T, numbers []int) {
	t.Helper()
	if !assert.Eventually(t, func() bool { return len(c.missing(numbers)) == 0 }, 2*time.Minute, 20*time.Millisecond) {
		t.Fatalf("of %d numbers are missing, among others: %v", len(numbers), c.missing(numbers))
	}
	require.NoError(t, c.disorder(numbers))
}
