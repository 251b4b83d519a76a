//go:build ledger

package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// sink is an HTTP server to which consumers write their records, one request for each batch. It
// accepts or rejects a batch as a whole, and writes what it accepts to the ledger of the consumer.
type sink struct {
	dir    string
	server *httptest.Server

	mu       sync.Mutex
	down     bool
	rejected map[int64]bool
	held     map[int64]*heldLine
}

// heldLine is a message whose requests are not answered until it is released.
type heldLine struct {
	arrivals int // number of requests
	waiting  int // how many of them wait
	released chan struct{}
}

// openSink starts a sink without any damage.
func (s *scenario) openSink(t testing.TB) *sink {
	t.Helper()
	k := &sink{dir: s.dir, rejected: map[int64]bool{}, held: map[int64]*heldLine{}}
	k.server = httptest.NewServer(k)
	t.Cleanup(k.server.Close) // the consumers have ended before
	return k
}

// into makes a consumer write to the sink.
func (k *sink) into(c *consumer) { c.Sink = k.server.URL + "/" + filepath.Base(c.Ledger) }

// ServeHTTP handles one batch: a record in each line, for the ledger that the path names.
func (k *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has ended
	}
	lines, err := lineNumbers(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, line := range lines {
		if !k.hold(r.Context(), line) {
			return
		}
	}
	status, err := k.take(filepath.Base(r.URL.Path), lines, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
}

func lineNumbers(body []byte) (lines []int64, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		var r struct{ Line int64 }
		if err = decoder.Decode(&r); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return nil, err
		}
		lines = append(lines, r.Line)
	}
}

// hold waits while a message is held, and reports whether the client still waits for the answer.
func (k *sink) hold(ctx context.Context, line int64) bool {
	k.mu.Lock()
	h := k.held[line]
	if h == nil {
		k.mu.Unlock()
		return true
	}
	h.arrivals++
	h.waiting++
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		h.waiting--
	}()
	select {
	case <-h.released:
		return true
	case <-ctx.Done():
		return false
	}
}

// take writes a batch to a ledger, or returns the status with which it is rejected.
func (k *sink) take(ledger string, lines []int64, body []byte) (status int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return http.StatusServiceUnavailable, nil
	}
	for _, line := range lines {
		if k.rejected[line] {
			return http.StatusUnprocessableEntity, nil
		}
	}
	file, err := os.OpenFile(filepath.Join(k.dir, ledger), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = file.Write(append(bytes.TrimRight(body, "\n"), '\n'))
	return http.StatusNoContent, errors.Join(err, file.Close())
}

// setDown makes the sink reject everything, or not.
func (k *sink) setDown(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}

// setRejected makes the sink reject batches with a message, or not.
func (k *sink) setRejected(line int64, rejected bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rejected[line] = rejected
}

// setHeld makes the sink answer no requests with a message until release.
func (k *sink) setHeld(line int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[line] = &heldLine{released: make(chan struct{})}
}

// release answers the requests that wait with a held message, and all further ones.
func (k *sink) release(line int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.held[line].released)
}

// seen returns how many requests with a held message there were, and how many of them wait.
func (k *sink) seen(line int64) (arrivals, waiting int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held[line].arrivals, k.held[line].waiting
}

// awaitHeld waits until a held message has arrived again, and is in flight. arrivals is their number
// before.
func (k *sink) awaitHeld(t testing.TB, line int64, before int) (arrivals int) {
	t.Helper()
	await(t, waitLimit, "the held message to arrive", func() bool {
		var waiting int
		arrivals, waiting = k.seen(line)
		return arrivals > before && waiting > 0
	})
	return arrivals
}

// The sink takes batches as a whole: a batch that it rejects leaves no line in the ledger.
func TestLedgerSinkTakesWholeBatches(t *testing.T) {
	s := &scenario{dir: t.TempDir()}
	k := s.openSink(t)
	post := func(body string) int {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Post(k.server.URL+"/c.ledger", "", bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	k.setRejected(2, true)
	require.Equal(t, http.StatusUnprocessableEntity, post("{\"line\":1}\n{\"line\":2}"))
	k.setRejected(2, false)
	k.setDown(true)
	require.Equal(t, http.StatusServiceUnavailable, post(`{"line":1}`))
	k.setDown(false)
	require.Equal(t, http.StatusNoContent, post("{\"line\":1}\n{\"line\":2}"))
	require.Equal(t, http.StatusNoContent, post(`{"line":3}`))
	written, err := os.ReadFile(filepath.Join(s.dir, "c.ledger"))
	require.NoError(t, err)
	require.Equal(t, "{\"line\":1}\n{\"line\":2}\n{\"line\":3}\n", string(written))
}
