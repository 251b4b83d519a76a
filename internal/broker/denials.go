package broker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A server that denies something inside a script does not say what (Redis 7.0), or names one
// command only (Redis 7.2, Valkey), and never names the key. The errors here name all of it. The
// check script finds out: with redis.acl_check_cmd for commands, and key by key for keys, which a
// server compares before it runs a script.

// deniedCommands is the error for commands that the user may not run.
func deniedCommands(denied []question) error {
	var names, rules, keys []string
	for _, q := range denied {
		names = append(names, q.right.title())
		rules = append(rules, "+"+q.right.name())
		if q.key != "" {
			keys = append(keys, q.key)
		}
	}
	names, rules, keys = unique(names), unique(rules), unique(keys)
	text := "NOPERM the user may not run " + strings.Join(names, ", ")
	if len(keys) > 0 {
		text += ", needed for " + strings.Join(keys, ", ")
	}
	return &explained{cause: refusalText(text), remedy: remedyGrant(rules...)}
}

// deniedKeys is the error for keys that the user may not use.
func deniedKeys(keys []string) error {
	rules := make([]string, len(keys))
	for i, key := range keys {
		rules[i] = "~" + aclEscaper.Replace(key)
		if kindOf(key) == producerKind { // each start of an output has one of its own
			rules[i] = rules[i][:strings.LastIndexByte(rules[i], ':')] + ":*"
		}
	}
	return &explained{
		cause:  refusalText("NOPERM the user may not read and write " + strings.Join(keys, ", ")),
		remedy: remedyGrant(rules...),
	}
}

// remedyGrant says how to give a user rules.
func remedyGrant(rules ...string) string {
	return fmt.Sprintf(
		"the user lacks a permission: grant it with ACL SETUSER <username> %s; `rafka acl` prints all that is needed",
		strings.Join(rules, " "),
	)
}

// commandDenied finds the command in the words in which servers deny one, by itself or, from Redis
// 7.2 and Valkey on, in a script.
var commandDenied = regexp.MustCompile(`permissions? to run the '([^']+)' command`)

// permissionRemedy is the remedy for the error of a server that denies something.
func permissionRemedy(text string) string {
	switch found := commandDenied.FindStringSubmatch(text); {
	case found != nil:
		return remedyGrant("+" + found[1])
	case strings.Contains(text, "channel"):
		return remedyGrant("&<channel>")
	case strings.Contains(text, "key"):
		return remedyGrant("~<key>")
	}
	return remedyGrant("+<command>")
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

// namesCommand reports whether the error denies a command that was sent by itself, and names it.
// One that was called in a script is named with neither its key nor the other commands that the
// script needs.
func namesCommand(err error) bool {
	text := err.Error()
	return commandDenied.MatchString(text) && !strings.Contains(text, deniedInScript)
}

// closedKeys finds, for calls that a server refused because of their keys, which keys those are.
// Others have none.
func closedKeys(
	ctx context.Context,
	client redis.UniversalClient,
	calls []scriptCall,
	replies []scriptReply,
) [][]string {
	closed := make([][]string, len(calls))
	var single []scriptCall
	var of []int
	for i, reply := range replies {
		if Classify(reply.err) != ClassPermission || namesCommand(reply.err) {
			continue
		}
		for _, key := range calls[i].keys {
			single = append(single, probe{keys: []probeKey{{name: key}}}.call())
			of = append(of, i)
		}
	}
	if len(single) == 0 {
		return closed
	}
	for i, reply := range runAll(ctx, client, single) {
		if Classify(reply.err) == ClassPermission && !namesCommand(reply.err) {
			closed[of[i]] = append(closed[of[i]], single[i].keys[0])
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
	if Classify(err) != ClassPermission || namesCommand(err) {
		return err
	}
	call, ok := errors.AsType[*callError](err)
	if !ok {
		return err
	}
	denied := runProbes(ctx, client, []probe{probeOf(call)})[0]
	if Classify(denied) != ClassPermission {
		return err
	}
	text := call.Error()
	if with, ok := errors.AsType[*explained](err); ok {
		text = with.Error()
	}
	before, after, _ := strings.Cut(err.Error(), text)
	return fmt.Errorf("%s%w%s", before, denied, after)
}

// probeOf asks about what the call's script needs.
func probeOf(call *callError) probe {
	p := probe{rights: required.of(rightsOf(partsOf(call.script)...))}
	for _, key := range call.keys {
		p.keys = append(p.keys, probeKey{key, kindOf(key)})
	}
	return p
}

// partsOf are the senders of which a script is made.
func partsOf(script string) []string {
	if script == claimScript.name || script == seekScript.name {
		return []string{script, byPosition}
	}
	return []string{script}
}
