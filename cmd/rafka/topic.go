package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
)

const flagPartitions = "partitions"

func topicCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return parentCommand("topic", "Create, list, describe, grow and delete topics",
		adminCommand(schema, stdout, cli.Command{
			Name:      "create",
			Usage:     "Create a topic",
			ArgsUsage: "NAME",
			Description: "A topic that exists with the same number of partitions stays unchanged; another number is " +
				"an error.\n\n  {{.BinaryName}} topic create orders --partitions 8",
			Flags: []cli.Flag{
				&cli.IntFlag{
					Name:    flagPartitions,
					Aliases: []string{"p"},
					Usage:   "the number of partitions, 1 or more",
				},
			},
		}, []string{"NAME"}, createTopic),
		adminCommand(schema, stdout, cli.Command{
			Name:  "list",
			Usage: "List the topics that have partitions",
			Description: "Plain streams, which have no partitions, are not listed: any stream can be read and " +
				"written as a topic.",
		}, nil, listTopics),
		adminCommand(schema, stdout, cli.Command{
			Name: "describe", Usage: "Show the partitions of a topic", ArgsUsage: "NAME",
		}, []string{"NAME"}, describeTopic),
		growTopicCommand(schema, stdout),
		deleteTopicCommand(schema, stdout),
	)
}

// createdTopic is the JSON result of `topic create`.
type createdTopic struct {
	broker.Topic
	Created bool `json:"created"`
}

func createTopic(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	name, partitions := c.Args().First(), c.Int(flagPartitions)
	if partitions < 1 {
		return fmt.Errorf(
			"--%s is required and must be 1 or more: it is the number of inputs that can share the topic %s",
			flagPartitions,
			name,
		)
	}
	topic, created, err := broker.NewTopics(client).Create(ctx, name, partitions)
	if err != nil {
		return err
	}
	if topic.Partitions != partitions {
		return fmt.Errorf("topic %s exists with %s, not %d: use that number or another name",
			name, partitionCount(topic.Partitions), partitions)
	}
	return out.print(createdTopic{topic, created}, func(w io.Writer) {
		if created {
			row(w, fmt.Sprintf("created topic %s with %s", name, partitionCount(partitions)))
		} else {
			row(w, fmt.Sprintf("topic %s exists with %s", name, partitionCount(partitions)))
		}
		if strings.Contains(name, "{") {
			row(w, "note: because of the braces in its name, all partitions are on one node of a cluster")
		}
	})
}

func listTopics(ctx context.Context, client redis.UniversalClient, _ *cli.Context, out printer) error {
	topics, err := admin.New(client).ListTopics(ctx)
	return out.printPartial(err, listed(topics), func(w io.Writer) {
		row(w, "NAME", "PARTITIONS", "CREATED")
		for _, t := range topics {
			row(w, t.Name, t.Partitions, moment(t.CreatedMS))
		}
	})
}

func describeTopic(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	topic, err := admin.New(client).DescribeTopic(ctx, c.Args().First())
	return out.printPartial(err, topic, func(w io.Writer) { writeTopic(w, topic) })
}

func writeTopic(w io.Writer, topic admin.TopicDescription) {
	partitions := strconv.Itoa(len(topic.Partitions))
	if topic.Plain() {
		partitions = "none, it is a plain stream"
	}
	row(w, "Topic:", topic.Name)
	row(w, "Partitions:", partitions)
	row(w, "Created:", moment(topic.CreatedMS))
	row(w)
	row(w, "PARTITION", "KEY", "ENTRIES", "EVER ADDED", "FIRST", "LAST")
	for _, p := range topic.Partitions {
		if p.Error != "" {
			row(w, p.Partition, p.Key, none, none, none, none)
			continue
		}
		row(w, p.Partition, p.Key, p.Length, known(p.Added), offset(p.First), offset(p.Last))
	}
}
