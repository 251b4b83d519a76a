package rediserr

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

const (
	remedyUnreachable = "Redis cannot be reached: check `url` and that the server is running; behind Sentinels or in " +
		"a cluster, also check the address that the server announces"
	remedyLate = "Redis did not answer in time: check whether the server is overloaded and whether the network is " +
		"too slow for the reply, or raise `read_timeout`"
	remedyCut = "the connection was closed before all entries had arrived: check whether the server or a proxy was " +
		"stopped; if the server's log reports that the client-output-buffer-limit was exceeded, raise that limit"
)

func connectionRemedy(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return "all connections are in use: raise `pool.size` or `pool.wait_timeout`"
	case failedDial(err):
		return remedyUnreachable
	case tlsRemedy(err) != "":
		return tlsRemedy(err)
	case TimedOut(err):
		return remedyLate
	case Unreachable(err):
		return remedyUnreachable
	}
	return "" // not a network error: its text needs no remedy
}

// clientPrefix is the beginning of go-redis' own errors about connections, Sentinels and clusters
// that it cannot reach. go-redis has no types for these errors.
const clientPrefix = "redis: "

// Unreachable reports whether the error means that the network or the server was unreachable. It
// returns false for replies of the server and for errors that this process detected without the
// network.
func Unreachable(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), clientPrefix)
}

// NeverSent reports whether the error proves that the request did not leave this process. The proof
// is only for the last attempt: a client that retries automatically may have sent the request in an
// earlier attempt.
func NeverSent(err error) bool {
	return withoutMaster(err) || failedDial(err) || errors.Is(err, redis.ErrPoolTimeout) ||
		errors.Is(err, redis.ErrPoolExhausted) ||
		errors.Is(err, redis.ErrClosed)
}

// TimedOut reports whether the error means that a reply took too long.
func TimedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// CutOff reports whether the error means that an established connection was closed.
func CutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func failedDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
