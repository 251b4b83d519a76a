// Package logtest records what a component logs and counts, for tests.
package logtest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Journal collects log lines. The zero value is empty. It is safe for concurrent use.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds a line.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// Lines returns the lines that contain all of the texts.
func (j *Journal) Lines(texts ...string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []string
next:
	for line := range strings.Lines(j.text.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// Resources returns resources for a component that logs to the journal.
func (j *Journal) Resources() *service.Resources {
	logger := service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(j, nil)))
	return service.MockResources(service.MockResourcesOptUseLogger(logger))
}
