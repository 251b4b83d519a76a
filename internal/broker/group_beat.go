package broker

import (
	"context"
	"time"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// registerEvery is how often the heartbeats of a process look whether their group is among the groups
// of the topic, which can be lost. groupsBack is when all groups with members have looked.
const (
	registerEvery = 20 * time.Second
	groupsBack    = 3 * registerEvery
)

// beatKeys are the keys of heartbeat.lua that not every call names.
type beatKeys struct{ groups, metadata, stream bool }

// heartbeat runs the script with only the keys that it needs, because a cluster rejects a script
// that names a missing key while the slot of the topic moves. The first call names the members, the
// plan, the metadata, and now and then the groups of the topic. If the cluster rejects these keys,
// the second call leaves out the groups and the metadata if they do not exist. If the script replies
// GROUPS or STREAM, the next call adds that key.
func (g *Group) heartbeat(ctx context.Context, args beatArgs) (any, error) {
	named := beatKeys{groups: g.mustRegister(), metadata: true}
	value, err := g.beatWith(ctx, args, named)
	if rediserr.SlotMoves(err) {
		existing, existsErr := g.existing(ctx, named)
		if existsErr != nil || existing == named {
			return nil, err
		}
		named = existing
		value, err = g.beatWith(ctx, args, named)
	}
	for err == nil {
		switch word := script.ReplyOf(value).Word(0); {
		case word == "GROUPS" && !named.groups:
			named.groups = true
		case word == "STREAM" && !named.stream:
			named.stream = true
		default:
			g.noteRegistered(word == "OK" && named.groups)
			return value, nil
		}
		value, err = g.beatWith(ctx, args, named)
	}
	return nil, err
}

// mustRegister reports whether the next heartbeat looks for the group among the groups of the topic.
func (g *Group) mustRegister() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.registry != nil || g.registered.IsZero() || time.Since(g.registered) >= registerEvery
}

// noteRegistered notes that the group is among the groups of the topic, if it is.
func (g *Group) noteRegistered(is bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if is {
		g.registered = time.Now()
	}
}

// existing returns the keys that exist, and the metadata in any case if the topic has been seen
// with partitions. A moving slot does not affect a request with a single key.
func (g *Group) existing(ctx context.Context, named beatKeys) (beatKeys, error) {
	for key, is := range map[string]*bool{
		keys.Groups(g.topic): &named.groups, keys.Metadata(g.topic): &named.metadata,
	} {
		found, err := g.client.Exists(ctx, key).Result()
		if err != nil {
			return named, err
		}
		*is = *is && found == 1
	}
	named.metadata = named.metadata || g.largest() > 0
	return named, nil
}

// beatWith runs the script with further keys.
func (g *Group) beatWith(ctx context.Context, args beatArgs, named beatKeys) (any, error) {
	names, letters := []string{keys.Members(g.topic, g.group), keys.Plan(g.topic, g.group)}, ""
	add := func(is bool, letter, key string) {
		if is {
			names, letters = append(names, key), letters+letter
		}
	}
	add(named.groups, "g", keys.Groups(g.topic))
	add(named.metadata, "m", keys.Metadata(g.topic))
	add(named.stream, "s", g.topic)
	args[10] = letters
	return heartbeatScript.Run(ctx, g.client, names, args[:]...)
}

// beatArgs are the arguments of heartbeat.lua. beatWith sets argument 11.
type beatArgs [14]any

// heartbeatArgs returns the arguments of heartbeat.lua. continues is argument 10.
func (g *Group) heartbeatArgs(b splits.Beat, continues bool) beatArgs {
	flag := map[bool]int{true: 1}
	return beatArgs{
		b.Member,
		script.Millis(b.TTL),
		b.Planned,
		g.largest(),
		flag[b.Rejoin],
		g.kind,
		keys.GroupChannel(g.topic, g.group),
		ForgetAfter(g.keepUnused),
		b.Owner,
		flag[continues],
		"",
		g.group,
		flag[g.registry != nil],
		script.Millis(groupsBack),
	}
}
