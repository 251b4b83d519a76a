package access

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
)

// LacksOfReader says in one line what the user may not do although it would help a reader, and the
// remedy; "" if there is nothing, or if that can't be found out. It is for those who have passed
// CheckReader.
func LacksOfReader(ctx context.Context, client redis.UniversalClient, topic, group string) string {
	described, err := broker.NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	probes := readerProbes(client, described, group)[:2]
	probes[0].channels = map[keys.Kind]string{
		keys.KindGroupChannel: keys.GroupChannel(topic, group),
		keys.KindTopicChannel: keys.TopicChannel(topic),
	}
	probes[0].rights = optionalOf(client, slices.Concat(always, onGroup)...)
	probes[1].rights = optionalOf(client, onSplit...)
	return lacks(ctx, client, probes)
}

// LacksOfWriter is LacksOfReader for a writer; trims says whether it is to remove old entries.
func LacksOfWriter(ctx context.Context, client redis.UniversalClient, topic string, trims bool) string {
	described, err := broker.NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	p := appendProbe(client, described, described.Split(0))
	p.trials = nil
	p.channels = map[keys.Kind]string{keys.KindTopicChannel: keys.TopicChannel(topic)}
	senders := slices.Concat(always, []string{byCreateTopic})
	if trims {
		senders = append(senders, byAppend)
	}
	p.rights = optionalOf(client, senders...)
	return lacks(ctx, client, []probe{p})
}

// lacks asks the probes, whose rights rafka can do without, and writes down those that are missing.
func lacks(ctx context.Context, client redis.UniversalClient, probes []probe) string {
	calls := make([]script.Call, len(probes))
	for i, p := range probes {
		calls[i] = p.call()
	}
	var names, rules []string
	for i, reply := range script.RunAll(ctx, client, calls) {
		if reply.Err != nil {
			continue
		}
		for _, q := range probes[i].denied(script.ReplyOf(reply.Value)) {
			names = append(names, q.right.title()+" ("+q.right.why+")")
			rules = append(rules, "+"+q.right.name())
			if channel, ok := probes[i].channels[q.right.kind()]; ok {
				rules = append(rules, "&"+keys.ACLPattern(channel))
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Working without permissions that would help: " + strings.Join(unique(names), ", ") +
		"; they are granted with ACL SETUSER <username> " + strings.Join(unique(rules), " ")
}
