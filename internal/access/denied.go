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

// When a server denies a command inside a script, its error names no command (Redis 7.0), or only
// one (Redis 7.2, Valkey), and never the key. The errors in this file name all commands and keys.
// The check script finds the commands by redis.acl_check_cmd. It finds the keys one by one, because
// a server checks the keys of a script before it runs the script.

// deniedCommands returns the error for commands that the user may not run.
func deniedCommands(denied []aclQuery) error {
	var commands, rules, needing []string
	for _, q := range denied {
		commands = append(commands, q.permission.title())
		rules = append(rules, "+"+q.permission.name())
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

// deniedKeys returns the error for keys that the user may not use.
func deniedKeys(names []string) error {
	rules := make([]string, len(names))
	for i, key := range names {
		rules[i] = "~" + keys.ACLPattern(key)
		if keys.KindOf(key) == keys.KindProducer { // each start of an output has its own
			rules[i] = rules[i][:strings.LastIndexByte(rules[i], ':')] + ":*"
		}
	}
	return rediserr.WithRemedy(
		rediserr.Error("NOPERM the user may not read and write "+strings.Join(names, ", ")),
		rediserr.GrantRemedy(rules...),
	)
}

// unique returns the words without repetitions, in their order.
func unique(words []string) []string {
	var seen []string
	for _, word := range words {
		if !slices.Contains(seen, word) {
			seen = append(seen, word)
		}
	}
	return seen
}

// findDeniedKeys returns, for each call that the server denied because of its keys, the denied
// keys. Other calls have none.
func findDeniedKeys(
	ctx context.Context,
	client redis.UniversalClient,
	calls []script.Call,
	results []script.Result,
) [][]string {
	deniesKeys := func(err error) bool {
		return rediserr.Classify(err) == rediserr.ClassPermission && !rediserr.NamesCommand(err)
	}
	denied := make([][]string, len(calls))
	var single []script.Call // one for each key
	var origins []int        // the index of the call that has the key
	for i, result := range results {
		if !deniesKeys(result.Err) {
			continue
		}
		for _, key := range calls[i].Keys {
			single = append(single, slotCheck{keys: []checkedKey{{name: key}}}.call())
			origins = append(origins, i)
		}
	}
	if len(single) == 0 {
		return denied
	}
	for i, result := range script.RunAll(ctx, client, single) {
		if deniesKeys(result.Err) {
			denied[origins[i]] = append(denied[origins[i]], single[i].Keys[0])
		}
	}
	return denied
}

// NameDenied adds to the error of a script the commands or the keys that the server denied. It
// returns every other error unchanged, and also an error for which the server reports nothing
// denied, because it has no redis.acl_check_cmd or because the permission was granted in the
// meantime.
//
// It sends up to two requests. Call it where an error is logged or returned to the user, not for
// each attempt that fails.
func NameDenied(ctx context.Context, client redis.UniversalClient, err error) error {
	if rediserr.Classify(err) != rediserr.ClassPermission || rediserr.NamesCommand(err) {
		return err
	}
	call, ok := errors.AsType[*script.CallError](err)
	if !ok {
		return err
	}
	denied := runChecks(ctx, client, []slotCheck{checkOf(call)})[0]
	if rediserr.Classify(denied) != rediserr.ClassPermission {
		return err
	}
	text := call.Error()
	if explained := rediserr.Explained(err); explained != nil {
		text = explained.Error()
	}
	before, after, _ := strings.Cut(err.Error(), text)
	return fmt.Errorf("%s%w%s", before, denied, after)
}

// checkOf returns the check of the permissions that the script of the call requires.
func checkOf(call *script.CallError) slotCheck {
	senders := sendersIn(call.Script)
	c := slotCheck{permissions: required.of(permissionsOf(senders...))}
	for _, by := range senders {
		if slices.Contains(onAdoption, by) { // optional commands are required once a group is adopted
			c.permissions = append(c.permissions, optional.of(permissionsOf(by))...)
		}
	}
	for _, key := range call.Keys {
		c.keys = append(c.keys, checkedKey{key, keys.KindOf(key)})
	}
	return c
}

// sendersIn returns the senders whose commands are in the script.
func sendersIn(script string) []string {
	switch script {
	case byClaim, byAdopt:
		return []string{script, byPosition, byAdoptable}
	case bySeek, bySeekShare:
		return []string{script, byPosition}
	case byAppend:
		return []string{script, byIDs}
	}
	return []string{script}
}
