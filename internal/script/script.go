package script

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by their SHA-1; nothing depends on its strength.
	_ "embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Script is a Lua script, known to Redis by the SHA-1 of its source. It is immutable and safe for
// concurrent use.
type Script struct {
	Name, src, sha string
}

//go:embed lua/prelude.lua
var prelude string

// New returns a script that is made of the prelude and the parts. The name is for errors.
func New(name string, parts ...string) *Script {
	src := prelude + strings.Join(parts, "")
	sum := sha1.Sum([]byte(src)) //nolint:gosec // see the import
	return &Script{Name: name, src: src, sha: hex.EncodeToString(sum[:])}
}

// Run runs the script by its hash, and by its source if the server does not know the script:
// NOSCRIPT means that nothing was executed. An error reply of the server is a *CallError, any other
// error is the client's own. All keys must be in one slot.
func (s *Script) Run(ctx context.Context, client redis.UniversalClient, keys []string, args ...any) (any, error) {
	value, err := client.EvalSha(ctx, s.sha, keys, args...).Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		value, err = client.Eval(ctx, s.src, keys, args...).Result()
	}
	return value, s.callError(keys, err)
}

// CallError is an error that a server returned to a call of a script. Its text is the server's.
type CallError struct {
	Script string
	Keys   []string
	Err    error
}

func (e *CallError) Error() string { return e.Err.Error() }

func (e *CallError) Unwrap() error { return e.Err }

// callError adds to a server's error which call it answers. Other errors stay as they are.
func (s *Script) callError(keys []string, err error) error {
	if _, answered := errors.AsType[redis.Error](err); !answered {
		return err
	}
	return &CallError{Script: s.Name, Keys: keys, Err: err}
}

// Call is one call of a script. All its keys must be in one slot. The calls of one batch can be in
// different slots.
type Call struct {
	Script *Script
	Keys   []string
	// line is the command: the verb and the script, which ByHash and BySource fill in, the number
	// of keys, the keys, and the arguments.
	line []any
}

// Call returns a call of the script.
func (s *Script) Call(keys []string, args ...any) Call {
	c := s.Begin(keys, len(args))
	c.line = append(c.line, args...)
	return c
}

// Begin returns a call with room for a number of arguments, which the caller adds. This way
// thousands of arguments are not copied.
func (s *Script) Begin(keys []string, room int) Call {
	line := append(make([]any, 0, 3+len(keys)+room), nil, nil, len(keys))
	for _, key := range keys {
		line = append(line, key)
	}
	return Call{Script: s, Keys: keys, line: line}
}

// Add appends one argument.
func (c *Call) Add(arg any) { c.line = append(c.line, arg) }

// ByHash returns the command that runs the script by its hash. It shares its arguments with the
// call: a call must not be in flight twice.
func (c *Call) ByHash(ctx context.Context) *redis.Cmd {
	return c.command(ctx, "evalsha", c.Script.sha)
}

// BySource returns the command that runs the script by its source, which the server then knows. It
// shares its arguments with the call: a call must not be in flight twice.
func (c *Call) BySource(ctx context.Context) *redis.Cmd {
	return c.command(ctx, "eval", c.Script.src)
}

func (c *Call) command(ctx context.Context, verb, body string) *redis.Cmd {
	c.line[0], c.line[1] = verb, body
	return redis.NewCmd(ctx, c.line...)
}

// Once is a command whose pipeline a cluster client does not repeat. Otherwise go-redis repeats all
// commands of a pipeline for a node when the connection breaks, or when the first command fails
// with a temporary error: commands that were executed would be executed again. Redirections are
// followed nevertheless, because they prove that nothing was executed.
type Once struct{ *redis.Cmd }

// NoRetry implements an interface of go-redis.
func (Once) NoRetry() bool { return true }

// Result is the answer to one Call: a value or an error, as run returns it.
type Result struct {
	Value any
	Err   error
}

// RunAll runs the calls in one pipeline per node and returns the results in the order of the calls.
// Only the calls whose script the server does not know are sent again, in a second pipeline with
// the source, which the server then keeps. Unlike SCRIPT LOAD, this can't reach another node than
// the call.
func RunAll(ctx context.Context, client redis.UniversalClient, calls []Call) []Result {
	replies := make([]Result, len(calls))
	keys := make([]string, len(calls))
	for i, c := range calls {
		if len(c.Keys) > 0 {
			keys[i] = c.Keys[0]
		}
	}
	EachNode(ctx, client, keys, func(ctx context.Context, indexes []int) {
		unknown := sendAll(ctx, client, calls, indexes, replies, (*Call).ByHash)
		sendAll(ctx, client, calls, unknown, replies, (*Call).BySource)
	})
	for i, c := range calls {
		replies[i].Err = c.Script.callError(c.Keys, replies[i].Err)
	}
	return replies
}

// sendAll sends the calls at the indexes in one pipeline, stores their results, and returns the
// indexes of the calls that failed with NOSCRIPT.
func sendAll(
	ctx context.Context,
	client redis.UniversalClient,
	calls []Call,
	indexes []int,
	replies []Result,
	command func(c *Call, ctx context.Context) *redis.Cmd,
) (unknown []int) {
	if len(indexes) == 0 {
		return nil
	}
	pipe := client.Pipeline()
	commands := make([]*redis.Cmd, len(indexes))
	for i, index := range indexes {
		commands[i] = command(&calls[index], ctx)
		_ = pipe.Process(ctx, Once{commands[i]}) // it only adds to the pipeline
	}
	_, execErr := pipe.Exec(ctx)
	for i, index := range indexes {
		value, err := commands[i].Result()
		if err == nil && value == nil {
			err = execErr // the pipeline failed before this command got a reply
		}
		replies[index] = Result{Value: value, Err: err}
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			unknown = append(unknown, index)
		}
	}
	return unknown
}

// Millis returns a duration as scripts take it: in whole milliseconds, at least one.
func Millis(d time.Duration) int64 { return max(d.Milliseconds(), 1) }

// Source returns the source of lua/NAME.lua in files. It panics if there is no such file: the files
// are embedded in the program.
func Source(files fs.FS, name string) string {
	src, err := fs.ReadFile(files, "lua/"+name+".lua")
	if err != nil {
		panic(err)
	}
	return string(src)
}
