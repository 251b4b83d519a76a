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

// probesAtOnce bounds the probes of one pipeline.
const probesAtOnce = 500

// probe asks what a user may do with keys of one slot, and tries what can be tried.
type probe struct {
	keys   []probeKey
	rights []right
	// trials are writes that change nothing.
	trials []command
	// channels are those that rights are about.
	channels map[keys.Kind]string
}

// probeKey is a key and what it is for.
type probeKey struct {
	name string
	kind keys.Kind
}

// typesOf are the types that keys have if they exist. What has the name of a plain topic may be
// anything as long as nothing needs it.
var typesOf = map[keys.Kind]string{
	keys.KindStream:   "stream",
	keys.KindMetadata: "hash",
	keys.KindPlan:     "hash",
	keys.KindMembers:  "zset",
	keys.KindLease:    "hash",
	keys.KindProducer: "string",
}

// command is a Redis command in which an int n stands for the n-th key of a probe, counted from 1.
type command []any

// question is a command, and the right that it asks about.
type question struct {
	command command
	right   right
	key     string // "" if the right is about none
}

// questions asks about each right on each key that it is for.
func (p probe) questions() []question {
	var all []question
	for _, r := range p.rights {
		kind := r.kind()
		if channel, ok := p.channels[kind]; ok || kind == "" {
			all = append(all, question{command: r.command(channel), right: r})
			continue
		}
		for i, key := range p.keys {
			if kind == key.kind || kind == keys.KindEvery || kind == keys.KindPlain && key.kind == keys.KindStream {
				all = append(all, question{command: r.command(i + 1), right: r, key: key.name})
			}
		}
	}
	return all
}

// command is the right's form with a key or a channel in it.
func (r right) command(of any) command {
	var c command
	for word := range strings.FieldsSeq(r.form) {
		if _, here := placeholder(word); here {
			c = append(c, of)
		} else {
			c = append(c, word)
		}
	}
	return c
}

func (p probe) names() []string {
	names := make([]string, len(p.keys))
	for i, key := range p.keys {
		names[i] = key.name
	}
	return names
}

func (p probe) call() script.Call {
	var asked []command
	for _, q := range p.questions() {
		asked = append(asked, q.command)
	}
	return checkScript.Call(p.names(), jsonOf(asked), jsonOf(p.trials))
}

func jsonOf(commands []command) string {
	text, _ := json.Marshal(append([]command{}, commands...)) // words and numbers always have a JSON form
	return string(text)
}

// runProbes runs the probes in pipelines and returns what each of them has found wrong. The errors
// can be classified like those of the commands that would meet it.
func runProbes(ctx context.Context, client redis.UniversalClient, probes []probe) []error {
	errs := make([]error, 0, len(probes))
	for some := range slices.Chunk(probes, probesAtOnce) {
		calls := make([]script.Call, len(some))
		for i, p := range some {
			calls[i] = p.call()
		}
		replies := script.RunAll(ctx, client, calls)
		closed := closedKeys(ctx, client, calls, replies)
		for i, reply := range replies {
			if len(closed[i]) > 0 {
				errs = append(errs, deniedKeys(closed[i]))
			} else {
				errs = append(errs, some[i].judge(reply))
			}
		}
	}
	return errs
}

// firstError is the first that is one.
func firstError(errs []error) error {
	if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); at >= 0 {
		return errs[at]
	}
	return nil
}

// judge tells what a probe has found.
func (p probe) judge(r script.Result) error {
	keys := strings.Join(p.names(), ", ")
	if r.Err != nil {
		return fmt.Errorf("checking the keys %s: %w", keys, rediserr.Explain(r.Err))
	}
	answer := script.ReplyOf(r.Value)
	kinds := answer.Words(1)
	if len(kinds) != len(p.keys) {
		return fmt.Errorf("checking the keys %s: %w", keys, script.Unexpected(checkScript, r.Value))
	}
	if denied := p.denied(answer); len(denied) > 0 {
		return deniedCommands(denied)
	}
	for i, key := range p.keys {
		kind, want := kinds[i], typesOf[key.kind]
		if rediserr.Classify(rediserr.Error(kind)) == rediserr.ClassPermission {
			continue // who may not ask for types can still read and write
		}
		if kind != "none" && kind != want && want != "" {
			return rediserr.Explain(
				rediserr.Error(fmt.Sprintf("WRONGTYPE key %s is a %s and should be a %s", key.name, kind, want)),
			)
		}
	}
	if failed := answer.Word(3); failed != "" {
		return fmt.Errorf("trying the keys %s: %w", keys, rediserr.Explain(rediserr.Error(failed)))
	}
	return nil
}

// denied are the questions whose answer was no.
func (p probe) denied(answer script.Reply) []question {
	all := p.questions()
	var denied []question
	for _, place := range answer.Words(2) {
		if n, err := strconv.Atoi(place); err == nil && n >= 1 && n <= len(all) {
			denied = append(denied, all[n-1])
		}
	}
	return denied
}
