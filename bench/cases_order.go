package main

import (
	"context"
	"fmt"
)

// The names of the contenders that differ in what is kept in order.
const (
	byPartition = "ordering: partition"
	byKey       = "ordering: key"
	unordered   = "ordering: none"
)

func orderCases() []benchCase {
	return []benchCase{
		{
			name: "ordering", title: "a backlog of 500,000 over 8 partitions, to drop", prepare: orderings,
			aims: []aim{{what: byKey, of: byPartition, value: rate, least: 0.85}},
		},
		{
			name:    "slow",
			title:   "a plain stream, 50 keys, 16 threads, 5 ms a message",
			prepare: slowPipelines,
			aims:    []aim{{what: byKey, of: byPartition, value: rate, least: 10}},
		},
	}
}

// readOrdered reads a topic with a value of ordering.
func readOrdered(ordering, topic, pipeline string, n int) contender {
	return contender{ordering, func(ctx context.Context, e *environment) (sample, error) {
		input := fmt.Sprintf("\ninput: {rafka: {url: $URL, stream_name: %s, consumer_group: %s, %s}}\n",
			topic, e.name("group"), ordering)
		return e.measureFlow(ctx, e.rafka, input+pipeline+drop, n, false)
	}}
}

func orderings(ctx context.Context, e *environment) ([]contender, error) {
	n := e.messages(500_000)
	topic, err := e.topic(ctx, 8, n, "")
	if err != nil {
		return nil, err
	}
	var contenders []contender
	for _, ordering := range []string{byPartition, byKey, unordered} {
		contenders = append(contenders, readOrdered(ordering, topic, "", n))
	}
	return contenders, nil
}

// slowPipelines reads fewer messages by partition: there, one thread works at a time.
func slowPipelines(ctx context.Context, e *environment) ([]contender, error) {
	const pipeline = "pipeline: {threads: 16, processors: [{sleep: {duration: 5ms}}]}\n"
	few, many := e.messages(1_000), e.messages(20_000)
	small, err := e.plain(ctx, few, 50)
	if err != nil {
		return nil, err
	}
	large, err := e.plain(ctx, many, 50)
	if err != nil {
		return nil, err
	}
	return []contender{
		readOrdered(byPartition, small, pipeline, few),
		readOrdered(byKey, large, pipeline, many),
		readOrdered(unordered, large, pipeline, many),
	}, nil
}
