package main

import (
	"context"
	"fmt"
)

// shareGroup is the name of the contender in a share group.
const shareGroup = "rafka, group_type: share"

func shareCases() []benchCase {
	return []benchCase{{
		name: "share", title: "a backlog of 500,000 in a plain stream, to drop", prepare: sharers,
		aims: []aim{
			{what: shareGroup, of: otherPlain, value: rate, least: 4},
			{what: shareGroup, of: otherBest, value: rate, least: 2},
		},
	}}
}

// sharers compares a share group with redis_streams. Both acknowledge each entry in Redis.
func sharers(ctx context.Context, e *environment) ([]contender, error) {
	n := e.messages(500_000)
	// Partition 0 of a topic is a plain stream, too, so all contenders can read it.
	topic, err := e.topic(ctx, 1, n, "")
	if err != nil {
		return nil, err
	}
	return []contender{
		{shareGroup, func(ctx context.Context, e *environment) (sample, error) {
			group, key := e.name("group"), stream(topic, 0)
			s, err := e.measureFlow(ctx, e.rafka, fmt.Sprintf(`
input: {rafka: {url: $URL, stream_name: "%s", consumer_group: %s, group_type: share}}
`, key, group)+drop, n, false)
			if err != nil {
				return nil, err
			}
			return s, e.destroyGroup(ctx, group, []string{key})
		}},
		readOther(otherPlain, topic, 1, n, ""),
		readOther(otherBest, topic, 1, n, "limit: 1000"),
	}, nil
}
