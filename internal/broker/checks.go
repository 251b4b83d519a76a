package broker

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/splits"
)

//go:embed check.lua
var checkSrc string

var checkScript = newScript("check", preludeSrc+checkSrc)

// probesAtOnce bounds the probes of one pipeline.
const probesAtOnce = 500

// command is a Redis command in which an int n stands for the n-th key of a probe, counted from 1.
type command []any

// probe asks about the keys that one kind of script uses. They are in one slot.
type probe struct {
	keys     []probeKey
	commands []command
	// trials are writes that change nothing.
	trials []command
}

// probeKey is a key and the type that it has if it exists.
type probeKey struct{ name, kind string }

// The commands that reading and writing need, by the keys that they are used on; the scripts' own and those that are sent
// directly.
var (
	groupCommands = []command{ // keys: plan, members, metadata, stream of a plain topic
		{"TIME"},
		{"HMGET", 1, "f"},
		{"HGET", 1, "f"},
		{"HSET", 1, "f", "v"},
		{"HDEL", 1, "f"},
		{"PEXPIRE", 1, "1"},
		{"PEXPIRE", 2, "1"},
		{"PERSIST", 1},
		{"PERSIST", 2},
		{"ZADD", 2, "1", "m"},
		{"ZCARD", 2},
		{"ZREM", 2, "m"},
		{"ZSCORE", 2, "m"},
		{"ZRANGE", 2, "0", "-1"},
		{"ZRANGEBYSCORE", 2, "0", "1"},
		{"ZREMRANGEBYSCORE", 2, "0", "1"},
		{"HGET", 3, "f"},
		{"HGETALL", 3},
		{"EXISTS", 4},
	}
	leaseCommands = []command{ // keys: stream, lease
		{"TIME"},
		{"XREAD", "COUNT", "1", "STREAMS", 1, "0-0"},
		{"XREVRANGE", 1, "+", "-", "COUNT", "1"},
		{"XINFO", "STREAM", 1},
		{"HMGET", 2, "f"},
		{"HSET", 2, "f", "v"},
		{"PEXPIRE", 2, "1"},
		{"PERSIST", 2},
	}
	appendCommands = []command{ // keys: stream, producer, metadata
		{"TIME"},
		{"XADD", 1, "*", "f", "v"},
		{"GET", 2},
		{"SET", 2, "v", "PX", "1"},
		{"EXISTS", 3},
	}
	createCommands = []command{ // keys: metadata, stream of a plain topic
		{"TIME"},
		{"HGET", 1, "f"},
		{"HGETALL", 1},
		{"HSET", 1, "f", "v"},
		{"TYPE", 2},
	}
)

// CheckReader makes sure, without writing anything, that the topic can be read by the group: the server answers and is new
// enough, the keys hold what they should, and the user may do what is needed. The error says what is missing and the remedy.
// Permissions that only improve things (PUBLISH, SUBSCRIBE, XGROUP) are not asked for.
func CheckReader(ctx context.Context, client redis.UniversalClient, topic, group string) error {
	if err := ValidateGroup(group); err != nil {
		return err
	}
	described, err := checkTopic(ctx, client, topic)
	if err != nil {
		return err
	}
	probes := []probe{{
		keys: []probeKey{
			{planKey(topic, group), "hash"}, {membersKey(topic, group), "zset"}, {topicKey(topic), "hash"}, {topic, ""},
		},
		commands: groupCommands,
		trials:   []command{{"ZREM", 2, ""}}, // no member has an empty name
	}}
	for _, split := range described.Splits() {
		probes = append(probes, probe{
			keys:     []probeKey{{split.Key, "stream"}, {leaseKey(split.Key, group), "hash"}},
			commands: leaseCommands,
		})
	}
	return runProbes(ctx, client, probes)
}

// CheckWriter makes sure, without writing anything, that the topic can be written, as CheckReader does for reading. partitions
// is the number with which the topic is to be created if it has no metadata, 0 if it is to be used as it is. A plain stream in
// the way is a *PlainStreamError.
func CheckWriter(ctx context.Context, client redis.UniversalClient, topic string, partitions int) error {
	described, err := checkTopic(ctx, client, topic)
	if err != nil {
		return err
	}
	if described.Plain() && partitions > 0 {
		if err := checkCreation(ctx, client, topic, partitions); err != nil {
			return err
		}
		described.Partitions = partitions
	}
	var probes []probe
	for _, split := range described.Splits() {
		probes = append(probes, appendProbe(described, split))
	}
	return runProbes(ctx, client, probes)
}

// appendProbe asks about one partition. The metadata are looked at in the same script for a plain topic only: those of
// another may lie in another slot.
func appendProbe(topic Topic, split splits.Split) probe {
	p := probe{
		keys:     []probeKey{{split.Key, "stream"}, {producerKey(split.Key, "check"), "string"}},
		commands: appendCommands[:len(appendCommands)-1],
		trials:   []command{{"XADD", 1, "0-0", "f", "v"}}, // no entry can have that ID
	}
	if topic.Plain() {
		p.keys = append(p.keys, probeKey{topicKey(topic.Name), "hash"})
		p.commands = appendCommands
	}
	return p
}

// checkTopic reaches the server, checks its version and reads the topic's metadata.
func checkTopic(ctx context.Context, client redis.UniversalClient, topic string) (Topic, error) {
	if err := client.Ping(ctx).Err(); err != nil && Classify(err) != ClassPermission { // a refusal is an answer too
		return Topic{}, fmt.Errorf("connecting to Redis: %w", Explain(err))
	}
	if err := CheckServer(ctx, client); err != nil {
		return Topic{}, err
	}
	described, err := NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return Topic{}, Explain(err)
	}
	return described, nil
}

func checkCreation(ctx context.Context, client redis.UniversalClient, topic string, partitions int) error {
	if err := ValidateTopic(topic, true); err != nil {
		return err
	}
	if err := validatePartitions(partitions); err != nil {
		return err
	}
	create := probe{keys: []probeKey{{topicKey(topic), "hash"}, {topic, ""}}, commands: createCommands}
	if err := runProbes(ctx, client, []probe{create}); err != nil {
		return err
	}
	switch kind, err := client.Type(ctx, topic).Result(); {
	case err != nil:
		return fmt.Errorf("asking for the type of key %s: %w", topic, Explain(err))
	case kind != "none":
		return &PlainStreamError{Name: topic, Type: kind}
	}
	return nil
}

// runProbes runs the probes in pipelines and returns what the first one that fails has found.
func runProbes(ctx context.Context, client redis.UniversalClient, probes []probe) error {
	for some := range slices.Chunk(probes, probesAtOnce) {
		calls := make([]scriptCall, len(some))
		for i, p := range some {
			calls[i] = p.call()
		}
		for i, reply := range runAll(ctx, client, calls) {
			if err := some[i].judge(reply); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p probe) names() []string {
	names := make([]string, len(p.keys))
	for i, key := range p.keys {
		names[i] = key.name
	}
	return names
}

func (p probe) call() scriptCall {
	return scriptCall{script: checkScript, keys: p.names(), args: []any{jsonOf(p.commands), jsonOf(p.trials)}}
}

func jsonOf(commands []command) string {
	text, _ := json.Marshal(append([]command{}, commands...)) // words and numbers always have a JSON form
	return string(text)
}

// judge tells what a probe has found. The errors can be classified like those of the commands that would meet it.
func (p probe) judge(r scriptReply) error {
	keys := strings.Join(p.names(), ", ")
	if r.err != nil {
		return fmt.Errorf("checking keys %s: %w", keys, Explain(r.err))
	}
	answer := replyOf(r.value)
	kinds := answer.words(1)
	if len(kinds) != len(p.keys) {
		return fmt.Errorf("checking keys %s: %w", keys, unexpected(checkScript, r.value))
	}
	if denied := answer.words(2); len(denied) > 0 {
		return Explain(refusalText(fmt.Sprintf("NOPERM no permission for the commands %s on the keys %s",
			strings.Join(slices.Compact(denied), ", "), keys)))
	}
	for i, key := range p.keys {
		kind := kinds[i]
		if Classify(refusalText(kind)) == ClassPermission {
			continue // who may not ask for types can still read and write
		}
		if kind != "none" && kind != key.kind && key.kind != "" {
			return Explain(refusalText(fmt.Sprintf("WRONGTYPE key %s is a %s and should be a %s", key.name, kind, key.kind)))
		}
	}
	if failed := answer.word(3); failed != "" {
		return fmt.Errorf("trying the keys %s: %w", keys, Explain(refusalText(failed)))
	}
	return nil
}
