package redistest

import (
	"strings"
	"sync"
)

// tailSize is how many bytes of a server's output are kept.
const tailSize = 32 << 10

// tail is a writer that keeps the end of what was written. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write never fails.
func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if extra := len(w.text) - tailSize; extra > 0 {
		w.text = append(w.text[:0], w.text[extra:]...)
	}
	return len(p), nil
}

// String returns the kept text.
func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}

func (w *tail) contains(s string) bool { return strings.Contains(w.String(), s) }

// reset drops everything.
func (w *tail) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = w.text[:0]
}
