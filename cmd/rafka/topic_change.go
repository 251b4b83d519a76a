package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/admin"
)

const flagForce = "force"

func growTopicCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "grow",
		Usage:     "Give a topic more partitions",
		ArgsUsage: "NAME",
		Description: "Running inputs and outputs detect it automatically. Keys move between partitions: the order of " +
			"a key is not guaranteed across the change.\n\n  {{.BinaryName}} topic grow orders --partitions 24",
		Flags: []cli.Flag{
			&cli.IntFlag{
				Name:    flagPartitions,
				Aliases: []string{"p"},
				Usage:   "the new number of partitions",
			},
		},
	}, []string{"NAME"}, growTopic)
}

func deleteTopicCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "delete",
		Usage:     "Delete a topic with all its messages, groups and offsets",
		ArgsUsage: "NAME",
		Description: "Stop the outputs that write to it first: a running output creates it again.\n\n" +
			"  {{.BinaryName}} topic delete orders --dry-run\n  {{.BinaryName}} topic delete orders --yes",
		Flags: append(
			deletionFlags(),
			&cli.BoolFlag{Name: flagForce, Usage: "delete it although groups have live members"},
		),
	}, []string{"NAME"}, deleteTopic)
}

func growTopic(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	name, partitions := c.Args().First(), c.Int(flagPartitions)
	if partitions < 1 {
		return fmt.Errorf(
			"--%s is required and must be 1 or more: it is the new number of partitions of the topic %s",
			flagPartitions,
			name,
		)
	}
	topic, err := admin.New(client).GrowTopic(ctx, name, partitions)
	if err != nil {
		return err
	}
	return out.print(topic, func(w io.Writer) { writeGrown(w, topic) })
}

func writeGrown(w io.Writer, topic admin.GrownTopic) {
	if topic.Before == topic.Partitions {
		row(w, fmt.Sprintf("topic %s already has %s", topic.Name, partitionCount(topic.Partitions)))
		return
	}
	row(w, fmt.Sprintf("topic %s grew from %d to %s", topic.Name, topic.Before, partitionCount(topic.Partitions)))
	row(w, "note: running outputs use them within 10 seconds, running inputs read them from their first entry")
	row(w, "note: keys move between partitions, so the order of a key is not guaranteed across the change")
}

func deleteTopic(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	name := c.Args().First()
	if err := confirmedDeletion(c, "topic "+name); err != nil {
		return err
	}
	topic, err := admin.New(client).DeleteTopic(ctx, admin.TopicDeletion{
		Topic: name, Force: c.Bool(flagForce), DryRun: c.Bool(flagDryRun),
	})
	if err != nil {
		return err
	}
	return out.print(topic, func(w io.Writer) { writeDeletedTopic(w, topic) })
}

func writeDeletedTopic(w io.Writer, topic admin.DeletedTopic) {
	entries := int64(0)
	for _, p := range topic.Partitions {
		entries += p.Entries
	}
	row(
		w,
		fmt.Sprintf(
			"%s topic %s: %s, %s, %s, %s of rafka's own",
			deleting(topic.DryRun),
			topic.Topic,
			partitionCount(len(topic.Partitions)),
			count(entries, "entry", "entries"),
			count(len(topic.Groups), "group", "groups"),
			count(topic.Keys, "key", "keys"),
		),
	)
	row(w, "note: commands can't detect outputs; an output that still writes to the topic creates it again")
	if !topic.DryRun {
		return
	}
	row(w)
	row(w, "PARTITION", "KEY", "ENTRIES", "BYTES")
	for _, p := range topic.Partitions {
		row(w, p.Partition, p.Key, p.Entries, known(p.Bytes))
	}
	if len(topic.Groups) == 0 {
		return
	}
	row(w)
	row(w, "GROUP", "LIVE MEMBERS")
	for _, g := range topic.Groups {
		row(w, g.Group, strconv.Itoa(len(g.Members)))
	}
}

func deleting(dryRun bool) string {
	if dryRun {
		return "would delete"
	}
	return "deleted"
}
