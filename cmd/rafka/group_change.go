package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
)

const (
	flagTo        = "to"
	flagPartition = "partition"
)

func seekGroupCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "seek",
		Usage:     "Move the committed offsets of a group, running or not, existing or not",
		ArgsUsage: "GROUP",
		Description: "Running members discard what they have read ahead and continue at the new offsets. A time or " +
			"an ID means the first entry at or after it. A share group forgets what is pending: entries after the " +
			"new offset are delivered again, the others are skipped.\n\n" +
			"  {{.BinaryName}} group seek billing --topic orders --to 2026-01-31T08:00:00Z --dry-run",
		Flags: []cli.Flag{
			topicFlag(),
			&cli.StringFlag{Name: flagTo, Usage: "earliest, latest, a time (RFC 3339) or the ID of an entry"},
			&cli.IntSliceFlag{Name: flagPartition, Usage: "only this partition; can be repeated"},
			&cli.BoolFlag{Name: flagDryRun, Usage: "only show what would change"},
		},
	}, []string{"GROUP"}, seekGroup)
}

func deleteGroupCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name: "delete", Usage: "Delete a group and its offsets on a topic", ArgsUsage: "GROUP",
		Description: "A group that has live members is not deleted: stop its inputs first.\n\n" +
			"  {{.BinaryName}} group delete billing --topic orders --yes",
		Flags: append(deletionFlags(), topicFlag()),
	}, []string{"GROUP"}, deleteGroup)
}

// topicFlag returns the flag for the topic of the group that a command applies to.
func topicFlag() cli.Flag {
	return &cli.StringFlag{Name: flagTopic, Aliases: []string{"t"}, Usage: "the topic that the group reads"}
}

// groupOf returns the group and the topic that a command applies to.
func groupOf(c *cli.Context) (group, topic string, err error) {
	group, topic = c.Args().First(), c.String(flagTopic)
	if topic == "" {
		return "", "", fmt.Errorf(
			"--%s is required: `group list` shows the topics of the group %s",
			flagTopic,
			group,
		)
	}
	return group, topic, nil
}

func seekGroup(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	group, topic, err := groupOf(c)
	if err != nil {
		return err
	}
	to := c.String(flagTo)
	if to == "" {
		return fmt.Errorf(
			"--%s is required: earliest, latest, a time such as 2026-01-31T08:00:00Z, or the ID of an entry",
			flagTo,
		)
	}
	sought, err := admin.New(client).SeekGroup(ctx, admin.Seek{
		Topic: topic, Group: group, To: to, Partitions: c.IntSlice(flagPartition), DryRun: c.Bool(flagDryRun),
		KeepUnused: access.QueryEviction(ctx, client).ExpiringKeys,
	})
	if err != nil {
		return err
	}
	return out.print(sought, func(w io.Writer) { writeSought(w, sought) })
}

func writeSought(w io.Writer, sought admin.SeekResult) {
	verb := "moved"
	if sought.DryRun {
		verb = "would move"
	}
	row(w, fmt.Sprintf("%s group %s of topic %s", verb, sought.Group, sought.Topic))
	if sought.New {
		row(w, "note: this group has had no members yet; its first members start at these offsets")
	}
	for _, p := range sought.Partitions {
		if p.Foreign {
			writeForeign(w, p.Split.Key, sought.Group)
		}
	}
	if sought.Type == broker.ShareGroup {
		writeSoughtShare(w, sought)
		return
	}
	row(w)
	row(w, "PARTITION", "BEFORE", "AFTER", "LAG", "TAKEN FROM")
	for _, p := range sought.Partitions {
		row(w, p.Split.Partition, optional(p.Before), p.After, lag(p.Lag, p.LagExact), cmp.Or(p.Owner, none))
	}
}

// writeForeign writes a note about a Redis consumer group that was left unchanged.
func writeForeign(w io.Writer, stream, group string) {
	row(
		w,
		fmt.Sprintf(
			"note: stream %s has a Redis consumer group %s that rafka did not create; it stays unchanged",
			stream,
			group,
		),
	)
}

func deleteGroup(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	group, topic, err := groupOf(c)
	if err != nil {
		return err
	}
	if err := confirmedDeletion(c, "group "+group+" of topic "+topic); err != nil {
		return err
	}
	deleted, err := admin.New(client).DeleteGroup(ctx, topic, group, c.Bool(flagDryRun))
	if err != nil {
		return err
	}
	return out.print(deleted, func(w io.Writer) { writeDeletedGroup(w, deleted) })
}

func writeDeletedGroup(w io.Writer, group admin.DeletedGroup) {
	row(w, fmt.Sprintf("%s group %s of topic %s", deleting(group.DryRun), group.Group, group.Topic))
	for _, p := range group.Partitions {
		if p.Foreign {
			writeForeign(w, p.Split.Key, group.Group)
		}
	}
	row(w)
	row(w, "PARTITION", "COMMITTED")
	for _, p := range group.Partitions {
		row(w, p.Split.Partition, optional(p.Committed))
	}
}
