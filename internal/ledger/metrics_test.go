//go:build ledger

package ledger

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// freeAddress returns an address that was free a moment ago. Its port is neither in the range of
// outgoing connections nor in the range that redistest uses.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(23000+rand.IntN(9000)))
		if l, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, l.Close())
			return address
		}
	}
	require.Fail(t, "no port is free")
	return ""
}

// counter is a counter of one process, by partition.
type counter map[int]int64

func (c counter) sum() (all int64) {
	for _, n := range c {
		all += n
	}
	return all
}

func (c counter) add(other counter) {
	for partition, n := range other {
		c[partition] += n
	}
}

var partitionLabel = regexp.MustCompile(`[{,]partition="(\d+)"`)

// scrape reads one counter of a process. It leaves out partitions with 0.
func scrape(t testing.TB, address, name string) counter {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	c := counter{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, name+"{") {
			continue
		}
		labels, number, _ := strings.Cut(strings.TrimSpace(line), "} ")
		label := partitionLabel.FindStringSubmatch(labels)
		require.NotNil(t, label, "no partition in %s", line)
		partition, err := strconv.Atoi(label[1])
		require.NoError(t, err)
		value, err := strconv.ParseFloat(number, 64)
		require.NoError(t, err)
		if value > 0 {
			c[partition] += int64(value)
		}
	}
	return c
}

// producerCounter returns the sum of a counter over all producers.
func (s *scenario) producerCounter(t testing.TB, name string) counter {
	t.Helper()
	all := counter{}
	for _, p := range s.producers {
		all.add(scrape(t, p.Metrics, name))
	}
	return all
}

// consumerCounter returns the sum of a counter over all consumers.
func (s *scenario) consumerCounter(t testing.TB, name string) counter {
	t.Helper()
	all := counter{}
	for _, m := range s.consumers {
		all.add(scrape(t, m.Metrics, name))
	}
	return all
}
