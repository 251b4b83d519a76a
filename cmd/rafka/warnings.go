package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
)

// warnings is a slog.Handler that prints log lines of the levels info and warn as notes and
// warnings of `rafka check`. The check itself reports errors.
type warnings struct {
	to          io.Writer
	path        string // of the config
	label, name string // of the component that logs
}

var _ slog.Handler = warnings{}

// Enabled is true for warnings and notes.
func (w warnings) Enabled(_ context.Context, level slog.Level) bool {
	return level == slog.LevelWarn || level == slog.LevelInfo
}

// Handle prints a log line.
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	kind := "warning"
	if r.Level == slog.LevelInfo {
		kind = "note"
	}
	_, err := fmt.Fprintf(
		w.to,
		"%s: %s: %s: %s\n",
		w.path,
		cmp.Or(w.label, w.name, "config"),
		kind,
		keys.Visible(r.Message),
	)
	return err
}

// WithAttrs records the component.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		switch a.Key {
		case "label":
			w.label = a.Value.String()
		case "path":
			w.name = strings.TrimPrefix(a.Value.String(), "root.") // as the results name it
		}
	}
	return w
}

// WithGroup changes nothing.
func (w warnings) WithGroup(string) slog.Handler { return w }
