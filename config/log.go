package config

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// DebugLogger is the part of a service.Logger that RouteLogs needs.
type DebugLogger interface {
	Debugf(template string, args ...any)
}

// RouteLogs sends what go-redis would print to stderr to the logger, at debug level: whatever goes
// wrong reaches the caller of a request as an error anyway. It holds for the whole process, and the
// last call wins.
func RouteLogs(logger DebugLogger) { redis.SetLogger(logRoute{logger}) }

type logRoute struct{ logger DebugLogger }

// Printf is what go-redis calls.
func (r logRoute) Printf(_ context.Context, format string, args ...any) {
	r.logger.Debugf("go-redis: "+strings.TrimSpace(format), args...)
}
