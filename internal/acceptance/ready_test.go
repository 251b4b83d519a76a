package acceptance

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// causes returns the errors in the body of /ready, by path, including empty errors of components
// that are not connected.
func (p *pipeline) causes(t *testing.T) map[string]string {
	t.Helper()
	response, err := http.Get("http://" + p.address + "/ready")
	if err != nil {
		return nil // the server is not listening yet
	}
	defer func() { _ = response.Body.Close() }()
	var body struct {
		Statuses []struct {
			Path, Error string
			Connected   bool
		}
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	causes := map[string]string{}
	for _, s := range body.Statuses {
		if !s.Connected {
			causes[s.Path] = s.Error
		}
	}
	return causes
}

// awaitCause waits until /ready contains the cause for a component.
func (p *pipeline) awaitCause(t *testing.T, path, words string) {
	t.Helper()
	require.Eventually(t, func() bool {
		cause, away := p.causes(t)[path]
		return away && strings.Contains(cause, words)
	}, time.Minute, 20*time.Millisecond, "/ready should contain %q for %s", words, path)
}

func TestReadyReportsTheCause(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	source := newSource(t, client)
	require.NoError(t, client.RPush(t.Context(), "orders:0", "x").Err())
	p := start(t, copier{url: server.URL()})
	p.awaitCause(t, "input", "WRONGTYPE")
	assert.NotContains(t, p.causes(t), "output")
	require.NoError(t, client.Del(context.Background(), "orders:0").Err())
	p.awaitReady(t, http.StatusOK)
	source.write(t, 20)
	source.awaitCopies(t, 0)
	server.Kill(t)
	p.awaitCause(t, "input", "cannot be reached")
	server.Restart(t)
	p.awaitReady(t, http.StatusOK)
}
