package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// A server that denies something inside a script does not say what (Redis 7.0), or names one
// command only (Redis 7.2, Valkey), and never names the key. The errors here name all of it. The
// check script finds out: with redis.acl_check_cmd for commands, and key by key for keys, which a
// server compares before it runs a script.

// deniedCommands is the error for commands that the user may not run.
func deniedCommands(denied []question) error {
	var commands, rules, needing []string
	for _, q := range denied {
		commands = append(commands, q.right.title())
		rules = append(rules, "+"+q.right.name())
		if q.key != "" {
			needing = append(needing, q.key)
		}
	}
	commands, rules, needing = unique(commands), unique(rules), unique(needing)
	text := "NOPERM the user may not run " + strings.Join(commands, ", ")
	if len(needing) > 0 {
		text += ", needed for " + strings.Join(needing, ", ")
	}
	return rediserr.WithRemedy(rediserr.Error(text), rediserr.GrantRemedy(rules...))
}

// deniedKeys is the error for keys that the user may not use.
func deniedKeys(names []string) error {
	rules := make([]string, len(names))
	for i, key := range names {
		rules[i] = "~" + keys.ACLPattern(key)
		if keys.KindOf(key) == keys.KindProducer { // each start of an output has one of its own
			rules[i] = rules[i][:strings.LastIndexByte(rules[i], ':')] + ":*"
		}
	}
	return rediserr.WithRemedy(
		rediserr.Error("NOPERM the user may not read and write "+strings.Join(names, ", ")),
		rediserr.GrantRemedy(rules...),
	)
}

func unique(words []string) []string {
	var seen []string
	for _, word := range words {
		if !slices.Contains(seen, word) {
			seen = append(seen, word)
		}
	}
	return seen
}

// closedKeys finds, for calls that a server refused because of their keys, which keys those are.
// Others have none.
func closedKeys(
	ctx context.Context,
	client redis.UniversalClient,
	calls []script.Call,
	replies []script.Result,
) [][]string {
	closed := make([][]string, len(calls))
	var single []script.Call
	var of []int
	for i, reply := range replies {
		if rediserr.Classify(reply.Err) != rediserr.ClassPermission || rediserr.NamesCommand(reply.Err) {
			continue
		}
		for _, key := range calls[i].Keys {
			single = append(single, probe{keys: []probeKey{{name: key}}}.call())
			of = append(of, i)
		}
	}
	if len(single) == 0 {
		return closed
	}
	for i, reply := range script.RunAll(ctx, client, single) {
		if rediserr.Classify(reply.Err) == rediserr.ClassPermission && !rediserr.NamesCommand(reply.Err) {
			closed[of[i]] = append(closed[of[i]], single[i].Keys[0])
		}
	}
	return closed
}

// NameDenied returns an error that names the commands or the keys which a user lacks for a script,
// if err is the error of a server that denied something to the script, and otherwise err. It sends
// at most two requests. An error about which nothing is found, on servers that can't be asked or
// because the permission is there again, stays as it is.
//
// It is for where an error is reported, so that an error that repeats costs requests only then.
func NameDenied(ctx context.Context, client redis.UniversalClient, err error) error {
	if rediserr.Classify(err) != rediserr.ClassPermission || rediserr.NamesCommand(err) {
		return err
	}
	call, ok := errors.AsType[*script.CallError](err)
	if !ok {
		return err
	}
	denied := runProbes(ctx, client, []probe{probeOf(call)})[0]
	if rediserr.Classify(denied) != rediserr.ClassPermission {
		return err
	}
	text := call.Error()
	if with, ok := rediserr.Explained(err); ok {
		text = with.Error()
	}
	before, after, _ := strings.Cut(err.Error(), text)
	return fmt.Errorf("%s%w%s", before, denied, after)
}

// probeOf asks about what the call's script needs.
func probeOf(call *script.CallError) probe {
	p := probe{rights: required.of(rightsOf(partsOf(call.Script)...))}
	for _, key := range call.Keys {
		p.keys = append(p.keys, probeKey{key, keys.KindOf(key)})
	}
	return p
}

// partsOf are the senders of which a script is made.
func partsOf(script string) []string {
	if script == byClaim || script == bySeek {
		return []string{script, byPosition}
	}
	return []string{script}
}
