package broker

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by their SHA-1; nothing depends on its strength.
	"encoding/hex"
	"errors"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script, known to Redis by the SHA-1 of its source. It is immutable and safe for
// concurrent use.
type script struct {
	name, src, sha string
}

// newScript prepares a script; it talks to no server. The name is for errors.
func newScript(name, src string) *script {
	sum := sha1.Sum([]byte(src)) //nolint:gosec // see the import
	return &script{name: name, src: src, sha: hex.EncodeToString(sum[:])}
}

// run runs the script by its hash, and by its source if the server does not know it: NOSCRIPT means
// that nothing was executed. A reply that is an error comes as a *callError, any other error is the
// client's own. All keys must be in one slot.
func (s *script) run(ctx context.Context, client redis.UniversalClient, keys []string, args ...any) (any, error) {
	value, err := client.EvalSha(ctx, s.sha, keys, args...).Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		value, err = client.Eval(ctx, s.src, keys, args...).Result()
	}
	return value, s.callError(keys, err)
}

// callError is an error that a server returned to a call of a script. Its text is the server's.
type callError struct {
	script string
	keys   []string
	cause  error
}

func (e *callError) Error() string { return e.cause.Error() }

func (e *callError) Unwrap() error { return e.cause }

// callError adds to a server's error which call it answers. Other errors stay as they are.
func (s *script) callError(keys []string, err error) error {
	if _, answered := errors.AsType[redis.Error](err); !answered {
		return err
	}
	return &callError{script: s.name, keys: keys, cause: err}
}

// scriptCall is one call of a script. All its keys must be in one slot; calls of one batch need not
// share it.
type scriptCall struct {
	script *script
	keys   []string
	// line is the command: two places for the verb and the script, how many keys there are, the
	// keys, and the arguments.
	line []any
}

// call is a call of the script.
func (s *script) call(keys []string, args ...any) scriptCall {
	c := s.begin(keys, len(args))
	c.line = append(c.line, args...)
	return c
}

// begin is a call whose line has room for so many arguments, which the caller appends: thousands of
// them are not copied so.
func (s *script) begin(keys []string, room int) scriptCall {
	line := append(make([]any, 0, 3+len(keys)+room), nil, nil, len(keys))
	for _, key := range keys {
		line = append(line, key)
	}
	return scriptCall{script: s, keys: keys, line: line}
}

// command completes the line for EVALSHA or EVAL. It is that of the latest command: one call is
// sent once at a time.
func (c scriptCall) command(ctx context.Context, verb, body string) *redis.Cmd {
	c.line[0], c.line[1] = verb, body
	return redis.NewCmd(ctx, c.line...)
}

// once is a command whose pipeline the client of a cluster does not send again. Left to itself, it
// repeats all that a pipeline has for a node when the connection breaks, or when the first command
// meets an error that passes: commands that were executed would be executed again. Redirections are
// followed nevertheless, since they prove that nothing was executed.
type once struct{ *redis.Cmd }

// NoRetry is what go-redis asks.
func (once) NoRetry() bool { return true }

// scriptReply is the answer to one scriptCall: a value or an error, as run returns it.
type scriptReply struct {
	value any
	err   error
}

// runAll runs the calls in one pipeline for each node and answers in their order. Those whose
// script the server did not know, and only those, are sent again in a second pipeline by their
// source, which teaches it to the server; unlike SCRIPT LOAD this can't meet another node than the
// call itself.
func runAll(ctx context.Context, client redis.UniversalClient, calls []scriptCall) []scriptReply {
	replies := make([]scriptReply, len(calls))
	keys := make([]string, len(calls))
	for i, c := range calls {
		if len(c.keys) > 0 {
			keys[i] = c.keys[0]
		}
	}
	eachNode(ctx, client, keys, func(ctx context.Context, places []int) {
		unknown := sendAll(ctx, client, calls, places, replies, func(c scriptCall) *redis.Cmd {
			return c.command(ctx, "evalsha", c.script.sha)
		})
		sendAll(ctx, client, calls, unknown, replies, func(c scriptCall) *redis.Cmd {
			return c.command(ctx, "eval", c.script.src)
		})
	})
	for i, c := range calls {
		replies[i].err = c.script.callError(c.keys, replies[i].err)
	}
	return replies
}

// sendAll sends the calls at the given places in one pipeline, stores their replies and returns the
// places of those that met NOSCRIPT.
func sendAll(ctx context.Context, client redis.UniversalClient, calls []scriptCall, places []int, replies []scriptReply,
	command func(scriptCall) *redis.Cmd,
) (unknown []int) {
	if len(places) == 0 {
		return nil
	}
	pipe := client.Pipeline()
	commands := make([]*redis.Cmd, len(places))
	for i, place := range places {
		commands[i] = command(calls[place])
		_ = pipe.Process(ctx, once{commands[i]}) // it only joins the pipeline
	}
	_, execErr := pipe.Exec(ctx)
	for i, place := range places {
		value, err := commands[i].Result()
		if err == nil && value == nil {
			err = execErr // the pipeline failed before this command was given an answer
		}
		replies[place] = scriptReply{value: value, err: err}
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			unknown = append(unknown, place)
		}
	}
	return unknown
}
