package docs

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/proctest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// deadLetterConfigs are the places where users find the configuration that sets messages aside.
func deadLetterConfigs(t *testing.T) map[string]string {
	t.Helper()
	configs := map[string]string{}
	for _, config := range blocks(document(t, "docs/how-to/dead-letters.md"), "yaml") {
		if strings.Contains(config, "orders-failed") {
			configs["how-to"] = config
		}
	}
	view, ok := service.GlobalEnvironment().GetInputConfig("rafka")
	require.True(t, ok)
	data, err := view.TemplateData()
	require.NoError(t, err)
	for _, example := range data.Examples {
		if strings.Contains(example.Config, "orders-failed") {
			configs["documentation of the input"] = example.Config
		}
	}
	require.Len(t, configs, 2)
	return configs
}

// shop is an HTTP server that takes orders. It refuses those whose number divides by 20 for good.
type shop struct {
	mu    sync.Mutex
	taken map[int]int
	down  bool
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // without a body, n is not a number
	n, err := strconv.Atoi(strings.TrimPrefix(string(body), "order "))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case err != nil || n%20 == 0:
		w.WriteHeader(http.StatusUnprocessableEntity)
	default:
		s.taken[n]++
	}
}

func (s *shop) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.taken)
}

func (s *shop) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

const shopOrders = 400

// deadLettersOf runs the configuration until the shop has all that it takes, and returns the messages
// in the topic to which the configuration writes the others.
func deadLettersOf(t *testing.T, config, topic string, s *shop, meanwhile func(client *redis.Client)) []string {
	t.Helper()
	server := redistest.Start(t)
	client := server.Client(t)
	at := httptest.NewServer(s)
	t.Cleanup(at.Close)
	rafka(t, "topic", "create", "orders", "--partitions", "4", "--url", server.URL())
	for n := range shopOrders {
		require.NoError(
			t,
			client.XAdd(t.Context(), &redis.XAddArgs{Stream: fmt.Sprintf("orders:%d", n%4), Values: []any{
				"body", fmt.Sprintf("order %d", n), "rafka_key", strconv.Itoa(n % 8),
			}}).Err(),
		)
	}
	config = strings.NewReplacer(
		"redis://localhost:6379",
		server.URL(),
		"http://localhost:8080",
		at.URL,
	).Replace(
		config,
	)
	path := writeFile(t, "deadletter.yaml", "http: { enabled: false }\n"+config)
	p := start(t, nil, "run", path)
	if meanwhile != nil {
		meanwhile(client)
	}
	letters := func() []redis.XMessage { return client.XRange(t.Context(), topic, "-", "+").Val() }
	require.Eventually(
		t,
		func() bool { return s.count() == shopOrders-shopOrders/20 && len(letters()) >= shopOrders/20 },
		proctest.Timeout,
		proctest.Poll,
	)
	require.NoError(t, p.Command.Process.Signal(syscall.SIGTERM))
	<-p.Ended
	var bodies []string
	for _, letter := range letters() {
		bodies = append(bodies, fmt.Sprint(letter.Values["body"]))
		assert.Equal(
			t,
			strconv.Itoa(number(t, strings.TrimPrefix(bodies[len(bodies)-1], "order "))%8),
			letter.Values["rafka_key"],
		)
	}
	return bodies
}

func refusedOrders() (bodies []string) {
	for n := 0; n < shopOrders; n += 20 {
		bodies = append(bodies, fmt.Sprintf("order %d", n))
	}
	return bodies
}

// The documented configuration used to set 372 healthy messages aside with 20 bad ones.
func TestDocumentedDeadLettersAreExactlyTheRejectedMessages(t *testing.T) {
	for where, config := range deadLetterConfigs(t) {
		t.Run(where, func(t *testing.T) {
			s := &shop{taken: map[int]int{}}
			assert.ElementsMatch(t, refusedOrders(), deadLettersOf(t, config, "orders-failed", s, nil))
			s.mu.Lock()
			defer s.mu.Unlock()
			for n, times := range s.taken {
				assert.Equal(t, 1, times, "order %d", n)
			}
		})
	}
}

// While the server is down, messages are not set aside: they are delivered again.
func TestDocumentedDeadLettersDoNotGrowWhileTheServerIsAway(t *testing.T) {
	config := deadLetterConfigs(t)["how-to"]
	config = strings.Replace(config, "retries: 3", "retries: 1", 1)
	s := &shop{taken: map[int]int{}, down: true}
	letters := deadLettersOf(t, config, "orders-failed", s, func(client *redis.Client) {
		time.Sleep(3 * time.Second) // of an outage: whatever is set aside in that time is wrong
		assert.Zero(t, client.XLen(t.Context(), "orders-failed").Val())
		s.setDown(false)
	})
	distinct := map[string]bool{}
	for _, body := range letters {
		distinct[body] = true
	}
	assert.Len(t, distinct, shopOrders/20)
	for _, body := range refusedOrders() {
		assert.True(t, distinct[body], body)
	}
}

// fieldConfigs are the places where users find the configuration with the field dead_letter.
func fieldConfigs(t *testing.T) map[string]string {
	t.Helper()
	configs := map[string]string{}
	for _, config := range blocks(document(t, "docs/how-to/dead-letters.md"), "yaml") {
		if strings.Contains(config, "orders-dead") {
			configs["how-to"] = config
		}
	}
	input, _ := specs(t)
	for _, example := range input.Examples {
		if strings.Contains(example.Config, "orders-dead") {
			configs["documentation of the input"] = example.Config
		}
	}
	require.Len(t, configs, 2)
	return configs
}

func TestDocumentedFieldGivesUpExactlyTheRejectedMessages(t *testing.T) {
	for where, config := range fieldConfigs(t) {
		t.Run(where, func(t *testing.T) {
			s := &shop{taken: map[int]int{}}
			assert.ElementsMatch(t, refusedOrders(), deadLettersOf(t, config, "orders-dead", s, nil))
			s.mu.Lock()
			defer s.mu.Unlock()
			assert.Len(t, s.taken, shopOrders-shopOrders/20, "and no order that the shop refused")
		})
	}
}
