package rediserr

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
)

// Class is what an error of a Redis request means for the next step of the caller.
type Class int

// The classes. Only after ClassConnection is it unknown whether the server executed the request.
const (
	// ClassNone: the request did not fail. redis.Nil, the reply for a missing value, has this class
	// too.
	ClassNone Class = iota
	// ClassConnection: no readable reply arrived. The server may have executed the request, may
	// execute it later, or may never execute it.
	ClassConnection
	// ClassTransient: the server rejected the request for a temporary reason (LOADING, OOM,
	// READONLY, CLUSTERDOWN, MOVED, ...).
	ClassTransient
	// ClassPermission: the user may not run the command or may not access the key.
	ClassPermission
	// ClassAuth: the server did not authenticate the client.
	ClassAuth
	// ClassWrongType: the key holds a value of another type.
	ClassWrongType
	// ClassFinal: any other rejection. A retry would get the same error.
	ClassFinal
)

// serverError describes one kind of error reply. A reply is of this kind if its text begins with
// prefix, after an optional "ERR ".
type serverError struct {
	prefix string
	class  Class
	remedy string
}

const (
	remedyAuth    = "check `username` and `password`"
	remedyReplica = "the server is a read-only replica: point `url` to the master, " +
		"or set `kind` to failover or cluster so that it is found"
	remedyCluster = "the server is a node of a cluster: set `kind` to cluster; if it is, slots are on the " +
		"move, and it passes when that is done"
	remedyUnreachable = "Redis cannot be reached: check `url`, that the server is up, and, behind Sentinels or in " +
		"a cluster, the address that it announces"
	remedyLate = "Redis did not answer in time: is the server overloaded, the network too slow for the answer, or " +
		"`read_timeout` too short?"
	remedyCut = "the connection was closed before the entries had arrived completely: the server went down, or " +
		"closed it because they exceed its client-output-buffer-limit (its log says so: raise the " +
		"limit), or a proxy in between closed it"
	remedyUnknown = "the server is too old or has this command renamed or disabled: rafka needs Redis 7.0 or " +
		"Valkey 7.2, or newer"
	remedyDatabase = "the server has fewer databases, by its setting of that name: correct the database number in `url`"
)

// deniedInScript is the beginning of the error for a missing permission inside a script in Valkey
// and in Redis 7.2 and later.
const deniedInScript = "ACL failure in script"

// serverErrors is searched in order. An error inside a script begins like the same error outside a
// script, except errors about missing permissions and unknown commands.
var serverErrors = []serverError{
	{
		"WRONGTYPE",
		ClassWrongType,
		"the key holds another type: rename or delete that key, or choose another `stream_name`",
	},
	{"NOPERM", ClassPermission, ""},
	{"The user executing the script can't", ClassPermission, ""},
	{deniedInScript, ClassPermission, ""},
	{
		"NOAUTH",
		ClassAuth,
		"the server asks for a password: set `password`, and `username` unless it is the default user",
	},
	{"WRONGPASS", ClassAuth, remedyAuth},
	{"invalid password", ClassAuth, remedyAuth},
	{
		"AUTH <password> called without any password",
		ClassAuth,
		"the server has no password: remove `password`, or check `username`",
	},
	{"AUTH failed", ClassAuth, remedyAuth},
	{"DENIED", ClassAuth, "the server is in protected mode: set a password on it or let it bind the right address"},
	{"OOM", ClassTransient, "the server has reached its maxmemory: raise it, or delete or trim data"},
	{"READONLY", ClassTransient, remedyReplica},
	{
		"MISCONF",
		ClassTransient,
		"the server cannot save its data to disk and refuses writes: see its log and free or mend the disk",
	},
	{
		"NOREPLICAS",
		ClassTransient,
		"the server has fewer replicas than min-replicas-to-write asks for: see its replicas",
	},
	{"LOADING", ClassTransient, "the server is loading its data: it passes when that is done"},
	{
		"CLUSTERDOWN",
		ClassTransient,
		"the cluster does not serve all slots: see CLUSTER INFO; it passes when a failover succeeds",
	},
	{"MASTERDOWN", ClassTransient, "the server is a replica that lost its master: " + remedyReplica},
	{"TRYAGAIN", ClassTransient, "slots of the cluster are on the move: it passes when that is done"},
	{"MOVED", ClassTransient, remedyCluster},
	{"ASK ", ClassTransient, remedyCluster},
	{"REDIRECT", ClassTransient, remedyReplica},
	{"BUSY", ClassTransient, "a script of another client occupies the server: see SLOWLOG, and SCRIPT KILL ends it"},
	{"INPROG", ClassTransient, "a failover is in progress: it passes when that is done"},
	{"UNBLOCKED", ClassTransient, ""},
	{"NOSCRIPT", ClassTransient, "the server forgot a script between two requests: it passes with the next one"},
	{"max number of clients", ClassTransient, "raise the server's maxclients, or lower `pool` sizes"},
	{"CROSSSLOT", ClassFinal, "the keys of one request lie in different slots of the cluster: set `kind` to cluster"},
	{
		"This instance has cluster support disabled",
		ClassFinal,
		"the server is no node of a cluster: set `kind` to simple",
	},
	{
		"unknown command 'cluster'",
		ClassFinal,
		"the server is no node of a cluster: set `kind` to what it is, simple or failover",
	},
	{"DB index is out of range", ClassFinal, remedyDatabase},
	{"invalid DB index", ClassFinal, remedyDatabase},
	{
		"SELECT is not allowed in cluster mode",
		ClassFinal,
		"a cluster has database 0 alone: remove the database number from `url`, " +
			"and set `kind` to cluster",
	},
	{"unknown command", ClassFinal, remedyUnknown},
	{"unknown subcommand", ClassFinal, remedyUnknown},
	{"Unknown Redis command called from script", ClassFinal, remedyUnknown},
	{"Unknown command called from script", ClassFinal, remedyUnknown}, // Valkey
	{
		idsUsedUp,
		ClassFinal,
		"an entry was given the highest ID that there is, by a program that chooses IDs itself, and nothing can " +
			"be written behind it: read the stream to its end and delete it, or use another `stream_name`",
	},
	{"EXECABORT", ClassFinal, ""},
}

// idsUsedUp is the beginning of the error of a stream whose last ID is the highest possible ID.
const idsUsedUp = "The stream has exhausted the last possible ID"

// Exhausted reports whether a stream rejected an entry because the stream has no IDs left.
func Exhausted(err error) bool { return redis.HasErrorPrefix(err, idsUsedUp) }

// SlotMoves reports whether a cluster rejected a request because the keys belong to a slot that is
// moving, and not all keys are on one node.
func SlotMoves(err error) bool { return redis.HasErrorPrefix(err, "TRYAGAIN") }

// Classify returns the class of an error of a Redis client. The error can be wrapped.
func Classify(err error) Class {
	class, _ := diagnose(err)
	return class
}

// Explain adds a remedy for users to an error of a Redis client. errors.Is and errors.As still find
// the cause. Explain returns the error unchanged if the error already has a remedy or if the remedy
// is unknown.
func Explain(err error) error {
	if _, before := errors.AsType[*explained](err); before {
		return err
	}
	if _, remedy := diagnose(err); remedy != "" {
		return &explained{cause: err, remedy: remedy}
	}
	return err
}

// WithRemedy adds a remedy to an error.
func WithRemedy(cause error, remedy string) error {
	return &explained{cause: cause, remedy: remedy}
}

// Explained returns the error in the chain that has a remedy, with the remedy. It returns nil if no
// error in the chain has a remedy.
func Explained(err error) error {
	if with, ok := errors.AsType[*explained](err); ok {
		return with
	}
	return nil
}

type explained struct {
	cause  error
	remedy string
}

// Error returns a single line, even if the cause contains several replies. It replaces the
// characters of the cause that could control a terminal.
func (e *explained) Error() string {
	return keys.Visible(strings.ReplaceAll(e.cause.Error(), "\n", ", ")) + " (" + e.remedy + ")"
}

func (e *explained) Unwrap() error { return e.cause }

// diagnose returns the class and the remedy of an error.
func diagnose(err error) (Class, string) {
	var refused redis.Error
	var shut interface{ Refusal() string } // the server rejected the connection
	switch {
	case withoutMaster(err):
		return diagnoseSentinels(err)
	case err == nil, errors.Is(err, redis.Nil):
		return ClassNone, ""
	case errors.Is(err, redis.ErrClosed):
		return ClassFinal, "the connection was closed by rafka itself"
	case errors.As(err, &shut):
		return diagnoseServerError(Error(shut.Refusal()))
	case errors.As(err, &refused):
		return diagnoseServerError(refused)
	}
	return ClassConnection, connectionRemedy(err)
}

func diagnoseServerError(err error) (Class, string) {
	for _, r := range serverErrors {
		if redis.HasErrorPrefix(err, r.prefix) {
			if r.class == ClassPermission {
				return r.class, permissionRemedy(err.Error())
			}
			return r.class, r.remedy
		}
	}
	if text := err.Error(); strings.Contains(text, "unauthenticated") {
		return ClassAuth, remedyAuth
	} else if inner, wrapped := insideScript(text); wrapped {
		return diagnoseServerError(inner)
	}
	return ClassFinal, ""
}

// insideScript finds the error of a command in the error of the script that the command ended.
// Redis 7.0 and later do not wrap the command's error. The embedded server wraps it ("ERR Error
// compiling script (new function): :1: WRONGTYPE ..."), and so do some other servers that implement
// the protocol ("ERR Error running script (call to f_<sha>): @user_script:1: WRONGTYPE ...").
func insideScript(text string) (redis.Error, bool) {
	if !strings.Contains(text, "Error running script") && !strings.Contains(text, "Error compiling script") {
		return nil, false
	}
	for i := range text {
		if i == 0 || text[i-1] != ' ' {
			continue
		}
		for _, r := range serverErrors {
			if strings.HasPrefix(text[i:], r.prefix) {
				return Error(text[i:]), true
			}
		}
	}
	return nil, false
}

// Error is an error reply of a server that was part of another reply or error.
type Error string

func (t Error) Error() string { return string(t) }

// RedisError marks the type as an error reply of the server.
func (Error) RedisError() {}

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

// Unreachable reports whether the error means that the network or the server was unreachable. It
// returns false for replies of the server and for errors that this process detected without the
// network.
func Unreachable(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), clientPrefix)
}

// clientPrefix is the beginning of go-redis' own errors about connections, Sentinels and clusters
// that it cannot reach. go-redis has no types for these errors.
const clientPrefix = "redis: "

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

// ExplainRead is like Explain, but for requests whose replies contain entries of any size. For
// these requests, a closed connection does not prove that the server is unreachable.
func ExplainRead(err error) error {
	if CutOff(err) && !NeverSent(err) {
		return &explained{cause: err, remedy: remedyCut}
	}
	return Explain(err)
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

// UnknownCommand reports whether the server does not know a command. For example, a server that is
// not a Sentinel does not know the Sentinel commands.
func UnknownCommand(err error) bool {
	return !withoutMaster(err) && redis.HasErrorPrefix(err, "unknown command")
}
