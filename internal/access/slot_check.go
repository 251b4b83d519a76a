package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// checksPerPipeline is the largest number of checks in one pipeline.
const checksPerPipeline = 500

// slotCheck is one call of check.lua: it queries the permissions of the user on keys of one slot,
// and tries writes.
type slotCheck struct {
	keys        []checkedKey
	permissions []permission
	// noopWrites are writes that fail because of their arguments, and change nothing.
	noopWrites []command
	// channels are the channels that the permissions concern.
	channels map[keys.Kind]string
}

// checkedKey is a key and its kind.
type checkedKey struct {
	name string
	kind keys.Kind
}

// typesOf are the Redis types of keys that exist. A key of [keys.KindPlain] can have any type, as
// long as no command needs it.
var typesOf = map[keys.Kind]string{
	keys.KindStream:   "stream",
	keys.KindMetadata: "hash",
	keys.KindGroups:   "set",
	keys.KindPlan:     "hash",
	keys.KindMembers:  "zset",
	keys.KindLease:    "hash",
	keys.KindFailing:  "hash",
	keys.KindShare:    "hash",
	keys.KindProducer: "string",
	keys.KindIDs:      "zset",
	keys.KindReplayed: "hash",
}

// command is a Redis command in which the int n stands for the n-th key of a check, from 1.
type command []any

// aclQuery is a command. The server reports whether the user may run it.
type aclQuery struct {
	command    command
	permission permission
	key        string // "" if the command has no key
}

// queries returns a query for each permission on each key that the permission concerns.
func (c slotCheck) queries() []aclQuery {
	var all []aclQuery
	for _, p := range c.permissions {
		kind := p.kind()
		if channel, ok := c.channels[kind]; ok || kind == "" {
			all = append(all, aclQuery{command: p.command(channel), permission: p})
			continue
		}
		for i, key := range c.keys {
			if kind == key.kind || kind == keys.KindEvery || kind == keys.KindPlain && key.kind == keys.KindStream {
				all = append(all, aclQuery{command: p.command(i + 1), permission: p, key: key.name})
			}
		}
	}
	return all
}

// command returns the form of the permission with the key or the channel in it.
func (p permission) command(keyOrChannel any) command {
	var c command
	for word := range strings.FieldsSeq(p.form) {
		if _, ok := placeholder(word); ok {
			c = append(c, keyOrChannel)
		} else {
			c = append(c, word)
		}
	}
	return c
}

func (c slotCheck) names() []string {
	names := make([]string, len(c.keys))
	for i, key := range c.keys {
		names[i] = key.name
	}
	return names
}

func (c slotCheck) call() script.Call {
	var commands []command
	for _, q := range c.queries() {
		commands = append(commands, q.command)
	}
	return checkScript.Call(c.names(), jsonOf(commands), jsonOf(c.noopWrites))
}

func jsonOf(commands []command) string {
	text, _ := json.Marshal(append([]command{}, commands...)) // words and numbers can always be marshaled
	return string(text)
}

// runChecks runs the checks in pipelines and returns one error, or nil, per check. The class of an
// error is the class of the error that the checked commands would return.
func runChecks(ctx context.Context, client redis.UniversalClient, checks []slotCheck) []error {
	errs := make([]error, 0, len(checks))
	for chunk := range slices.Chunk(checks, checksPerPipeline) {
		calls := make([]script.Call, len(chunk))
		for i, c := range chunk {
			calls[i] = c.call()
		}
		results := script.RunAll(ctx, client, calls)
		denied := findDeniedKeys(ctx, client, calls, results)
		for i, result := range results {
			if len(denied[i]) > 0 {
				errs = append(errs, deniedKeys(denied[i]))
			} else {
				errs = append(errs, chunk[i].decode(result))
			}
		}
	}
	return errs
}

// firstError returns the first error that is not nil.
func firstError(errs []error) error {
	if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); at >= 0 {
		return errs[at]
	}
	return nil
}

// decode returns the problem that the check found, or nil.
func (c slotCheck) decode(r script.Result) error {
	names := strings.Join(c.names(), ", ")
	if r.Err != nil {
		return fmt.Errorf("checking the keys %s: %w", names, rediserr.Explain(r.Err))
	}
	reply := script.ReplyOf(r.Value)
	types := reply.Words(1)
	if len(types) != len(c.keys) {
		return fmt.Errorf("checking the keys %s: %w", names, script.Unexpected(checkScript, r.Value))
	}
	if denied := c.denied(reply); len(denied) > 0 {
		return deniedCommands(denied)
	}
	for i, key := range c.keys {
		found, want := types[i], typesOf[key.kind]
		if rediserr.Classify(rediserr.Error(found)) == rediserr.ClassPermission {
			continue // a user without permission for TYPE can still read and write
		}
		if found != "none" && found != want && want != "" {
			return rediserr.Explain(
				rediserr.Error(fmt.Sprintf("WRONGTYPE key %s is a %s and should be a %s", key.name, found, want)),
			)
		}
	}
	if failed := reply.Word(3); failed != "" {
		return fmt.Errorf("trying to write to the keys %s: %w", names, rediserr.Explain(rediserr.Error(failed)))
	}
	return nil
}

// denied returns the queries for commands that the user may not run.
func (c slotCheck) denied(reply script.Reply) []aclQuery {
	all := c.queries()
	var denied []aclQuery
	for _, position := range reply.Words(2) {
		if n, err := strconv.Atoi(position); err == nil && n >= 1 && n <= len(all) {
			denied = append(denied, all[n-1])
		}
	}
	return denied
}
