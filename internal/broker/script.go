package broker

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by their SHA-1; nothing depends on its strength.
	"encoding/hex"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script, known to Redis by the SHA-1 of its source. It is immutable and safe for concurrent use.
type script struct {
	name, src, sha string
}

// newScript prepares a script; it talks to no server. The name is for errors.
func newScript(name, src string) *script {
	sum := sha1.Sum([]byte(src)) //nolint:gosec // see the import
	return &script{name: name, src: src, sha: hex.EncodeToString(sum[:])}
}

// run runs the script by its hash, and by its source if the server does not know it: NOSCRIPT means that nothing was executed.
// The error is the client's own, so that it can be classified. All keys must be in one slot.
func (s *script) run(ctx context.Context, client redis.Scripter, keys []string, args ...any) (any, error) {
	value, err := client.EvalSha(ctx, s.sha, keys, args...).Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return client.Eval(ctx, s.src, keys, args...).Result()
	}
	return value, err
}

// scriptCall is one call of a script. All its keys must be in one slot; calls of one batch need not share it.
type scriptCall struct {
	script *script
	keys   []string
	args   []any
}

// scriptReply is the answer to one scriptCall: a value or an error, which is the client's own.
type scriptReply struct {
	value any
	err   error
}

// runAll runs the calls in one pipeline and answers in their order. Those whose script the server did not know, and only those,
// are sent again in a second pipeline by their source, which teaches it to the server; unlike SCRIPT LOAD this can't
// meet another node than the call itself.
func runAll(ctx context.Context, client redis.UniversalClient, calls []scriptCall) []scriptReply {
	replies := make([]scriptReply, len(calls))
	all := make([]int, len(calls))
	for i := range calls {
		all[i] = i
	}
	unknown := sendAll(ctx, client, calls, all, replies, func(pipe redis.Pipeliner, c scriptCall) *redis.Cmd {
		return pipe.EvalSha(ctx, c.script.sha, c.keys, c.args...)
	})
	sendAll(ctx, client, calls, unknown, replies, func(pipe redis.Pipeliner, c scriptCall) *redis.Cmd {
		return pipe.Eval(ctx, c.script.src, c.keys, c.args...)
	})
	return replies
}

// sendAll sends the calls at the given places in one pipeline, stores their replies and returns the places of those that
// met NOSCRIPT.
func sendAll(ctx context.Context, client redis.UniversalClient, calls []scriptCall, places []int, replies []scriptReply,
	send func(redis.Pipeliner, scriptCall) *redis.Cmd,
) (unknown []int) {
	if len(places) == 0 {
		return nil
	}
	pipe := client.Pipeline()
	commands := make([]*redis.Cmd, len(places))
	for i, place := range places {
		commands[i] = send(pipe, calls[place])
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
