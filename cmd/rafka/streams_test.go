package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/proctest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// freeAddress returns an address on which no process listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// call sends a request to a running process. It returns the status and the body, or status 0 if the
// process does not answer.
func call(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = answer.Body.Close() }()
	read, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(read)
}

// launches waits until the engine has registered all endpoints, since a request before that races
// with the registration, and until it answers.
func launches(t *testing.T, p *proctest.Process, base string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(p.Stdout.String()+p.Stderr.String(), "Launching")
	}, proctest.Timeout, proctest.Poll)
	require.Eventually(t, func() bool {
		status, _ := call(t, http.MethodGet, base+"/ping", "")
		return status == http.StatusOK
	}, proctest.Timeout, proctest.Poll)
}

// seriesOf returns the lines of a scrape that are about the stream.
func seriesOf(t *testing.T, metrics, stream string) (lines []string) {
	t.Helper()
	status, text := call(t, http.MethodGet, metrics, "")
	require.Equal(t, http.StatusOK, status)
	for line := range strings.Lines(text) {
		if strings.Contains(line, fmt.Sprintf(`stream=%q`, stream)) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Regression: without deletion, each scrape contained the metrics of every deleted stream until the
// process ended.
func TestSeriesOfADeletedStreamDisappear(t *testing.T) {
	server := redistest.Start(t)
	base := "http://" + freeAddress(t)
	process := start(t, "streams", "--set", "http.address="+strings.TrimPrefix(base, "http://"))
	launches(t, process, base)
	config := func(group string) string {
		return fmt.Sprintf(
			"input: { rafka: { url: %s, stream_name: orders, consumer_group: %s } }\noutput: { drop: {} }\n",
			server.URL(),
			group,
		)
	}
	for _, stream := range []string{"kept", "deleted"} {
		status, text := call(t, http.MethodPost, base+"/streams/"+stream, config(stream))
		require.Equal(t, http.StatusOK, status, text)
	}
	for _, stream := range []string{"kept", "deleted"} {
		require.Eventually(t, func() bool {
			all := strings.Join(seriesOf(t, base+"/metrics", stream), "")
			return strings.Contains(all, "rafka_partitions_assigned{") && strings.Contains(all, "input_connection_up{")
		}, proctest.Timeout, proctest.Poll, "the metrics of stream %s", stream)
	}
	status, text := call(t, http.MethodDelete, base+"/streams/deleted", "")
	require.Equal(t, http.StatusOK, status, text)
	assert.Empty(t, seriesOf(t, base+"/metrics", "deleted"))
	assert.NotEmpty(t, seriesOf(t, base+"/metrics", "kept"))

	// A new stream with the same name counts from zero.
	status, text = call(t, http.MethodPost, base+"/streams/deleted", config("deleted"))
	require.Equal(t, http.StatusOK, status, text)
	counted := func() bool { return len(seriesOf(t, base+"/metrics", "deleted")) > 0 }
	require.Eventually(t, counted, proctest.Timeout, proctest.Poll)
	process.Terminate(t)
}

func TestDeletionMatchesAllOfItsLabels(t *testing.T) {
	e, _ := startExporter(t, "")
	counters := e.NewCounterCtor("c", "a-b", "topic")
	counters("x", "1").Incr(1)
	counters("x", "2").Incr(1)
	counters("y", "1").Incr(1)
	e.NewGaugeCtor("g", "topic")("1").Set(1)
	e.DeleteSeriesPartialMatch(map[string]string{"a-b": "x", "topic": "1"})
	assert.Equal(t, []string{`c{a_b="x",topic="2"} 1`, `c{a_b="y",topic="1"} 1`, `g{topic="1"} 1`}, scrape(t, e))
	e.DeleteSeriesPartialMatch(nil)
	assert.Len(t, scrape(t, e), 3)
	e.DeleteSeriesPartialMatch(map[string]string{"topic": "1"})
	assert.Equal(t, []string{`c{a_b="x",topic="2"} 1`}, scrape(t, e))
	counters("x", "1").Incr(5)
	assert.Equal(t, []string{`c{a_b="x",topic="1"} 5`, `c{a_b="x",topic="2"} 1`}, scrape(t, e))
}

func TestEveryServedMetricHasAHelpText(t *testing.T) {
	server := redistest.Start(t)
	base := "http://" + freeAddress(t)
	process := start(
		t,
		"run",
		"--set",
		"http.address="+strings.TrimPrefix(base, "http://"),
		writeFile(t, "copy.yaml", fmt.Sprintf(
			"input: { rafka: { url: %s, stream_name: orders, consumer_group: g } }\n"+
				"pipeline: { processors: [ { mapping: root = this } ] }\n"+
				"output: { rafka: { url: %s, stream_name: copies } }\n", server.URL(), server.URL())),
	)
	launches(t, process, base)
	var text string
	require.Eventually(t, func() bool {
		_, text = call(t, http.MethodGet, base+"/metrics", "")
		return strings.Contains(text, "rafka_partitions_assigned{") && strings.Contains(text, "output_connection_up{")
	}, proctest.Timeout, proctest.Poll)
	for line := range strings.Lines(text) {
		if words := strings.SplitN(line, " ", 4); words[0] == "#" && words[1] == "HELP" {
			assert.NotEmpty(t, help[words[2]], "the HELP text of %s, which is %q", words[2], words[3])
			assert.Contains(t, words[3], help[words[2]])
		}
	}
	process.Terminate(t)
}
