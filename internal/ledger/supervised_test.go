//go:build ledger

package ledger

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// supervised is a consumer that is restarted whenever its process has ended, as systemd or
// Kubernetes does. Each process has its own ledger.
type supervised struct {
	*member
	scenario *scenario
	base     string
	options  []func(*consumer)
	starts   int
	died     time.Time // when its first process was found dead; zero if none was
}

// supervise starts a supervised consumer that serves /ready.
func (s *scenario) supervise(t testing.TB, name string, options ...func(*consumer)) *supervised {
	t.Helper()
	address := freeAddress(t)
	v := &supervised{scenario: s, base: name, options: append([]func(*consumer){
		func(c *consumer) { c.Name, c.Metrics = name, address },
	}, options...)}
	v.start(t)
	return v
}

func (v *supervised) start(t testing.TB) {
	t.Helper()
	v.starts++
	v.member = v.scenario.consume(t, fmt.Sprintf("%s-%d", v.base, v.starts), v.options...)
}

// restartIfDead starts the consumer again if its process has ended.
func (v *supervised) restartIfDead(t testing.TB) {
	t.Helper()
	if !v.ended() {
		return
	}
	if v.died.IsZero() {
		v.died = time.Now()
	}
	v.start(t)
}

// deaths returns how often the process has ended.
func (v *supervised) deaths() int { return v.starts - 1 }

// awaitReason waits until /ready contains words.
func (m *member) awaitReason(t testing.TB, words string) {
	t.Helper()
	await(t, waitLimit, fmt.Sprintf("/ready of %s to contain %q", m.name, words), func() bool {
		return strings.Contains(unready(m.Metrics), words)
	})
}

// awaitReady waits until /ready reports that everything works.
func (m *member) awaitReady(t testing.TB) {
	t.Helper()
	await(t, waitLimit, m.name+" to be ready", func() bool { return unready(m.Metrics) == "" })
}

// unready returns why a process is not ready; "" if it is ready.
func unready(address string) string {
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   waitLimit,
	}
	response, err := client.Get("http://" + address + "/ready")
	if err != nil {
		return err.Error() // it does not listen yet
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	if response.StatusCode == http.StatusOK {
		return ""
	}
	return string(body)
}
