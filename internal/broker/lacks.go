package broker

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// LacksOfReader says in one line what the user may not do although it would help a reader, and the
// remedy; "" if there is nothing, or if that can't be found out. It is for those who have passed
// CheckReader.
func LacksOfReader(ctx context.Context, client redis.UniversalClient, topic, group string) string {
	described, err := NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	probes := readerProbes(client, described, group)[:2]
	probes[0].channels = map[keyKind]string{groupHints: wakeChannel(topic, group), topicHints: topicChannel(topic)}
	probes[0].rights = optionalOf(client, slices.Concat(always, onGroup)...)
	probes[1].rights = optionalOf(client, onSplit...)
	return lacks(ctx, client, probes)
}

// LacksOfWriter is LacksOfReader for a writer; trims says whether it is to remove old entries.
func LacksOfWriter(ctx context.Context, client redis.UniversalClient, topic string, trims bool) string {
	described, err := NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	p := appendProbe(client, described, described.Split(0))
	p.trials = nil
	p.channels = map[keyKind]string{topicHints: topicChannel(topic)}
	senders := slices.Concat(always, []string{createTopicScript.name})
	if trims {
		senders = append(senders, appendScript.name)
	}
	p.rights = optionalOf(client, senders...)
	return lacks(ctx, client, []probe{p})
}

// lacks asks the probes, whose rights rafka can do without, and writes down those that are missing.
func lacks(ctx context.Context, client redis.UniversalClient, probes []probe) string {
	calls := make([]scriptCall, len(probes))
	for i, p := range probes {
		calls[i] = p.call()
	}
	var names, rules []string
	for i, reply := range runAll(ctx, client, calls) {
		if reply.err != nil {
			continue
		}
		for _, q := range probes[i].denied(replyOf(reply.value)) {
			names = append(names, q.right.title()+" ("+q.right.why+")")
			rules = append(rules, "+"+q.right.name())
			if channel, ok := probes[i].channels[q.right.kind()]; ok {
				rules = append(rules, "&"+aclEscaper.Replace(channel))
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Working without permissions that would help: " + strings.Join(unique(names), ", ") +
		"; they are granted with ACL SETUSER <username> " + strings.Join(unique(rules), " ")
}
