package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/admin"
)

const (
	flagOffset   = "offset"
	flagMaxBytes = "max-bytes"
)

func skipGroupCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "skip",
		Usage:     "Show a message, and with --yes make a group pass over it",
		ArgsUsage: "GROUP",
		Description: "Without --offset, it is the first message that a consumer group has not processed: the one " +
			"that blocks an ordered partition. The member that reads the partition discards what it has in progress " +
			"and continues without the message. Without --yes, nothing is changed.\n\n" +
			"  {{.BinaryName}} group skip billing --topic orders --partition 3\n" +
			"  {{.BinaryName}} group skip billing --topic orders --partition 3 --offset 1769846400000-0 --yes",
		Flags: []cli.Flag{
			topicFlag(),
			&cli.IntFlag{
				Name:        flagPartition,
				Value:       -1,
				DefaultText: "the only one",
				Usage:       "the partition of the message",
			},
			&cli.StringFlag{Name: flagOffset, Usage: "the ID of the message; required for a share group"},
			maxBytesFlag(),
			&cli.BoolFlag{Name: flagYes, Aliases: []string{"y"}, Usage: "really skip it"},
		},
	}, []string{"GROUP"}, skipGroup)
}

// maxBytesFlag returns the flag of commands that show messages.
func maxBytesFlag() cli.Flag {
	return &cli.IntFlag{Name: flagMaxBytes, Value: 1000, Usage: "how much of each value is shown"}
}

func maxBytes(c *cli.Context) (int, error) {
	most := c.Int(flagMaxBytes)
	if most < 0 {
		return 0, fmt.Errorf("--%s is %d: use 0 or more", flagMaxBytes, most)
	}
	return most, nil
}

func skipGroup(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	group, topic, err := groupOf(c)
	if err != nil {
		return err
	}
	most, err := maxBytes(c)
	if err != nil {
		return err
	}
	if c.IsSet(flagPartition) && c.Int(flagPartition) < 0 {
		return errors.New("--partition is negative: use the number of a partition")
	}
	skipped, err := admin.New(client).SkipEntry(ctx, admin.Skip{
		Topic:      topic,
		Group:      group,
		Partition:  c.Int(flagPartition),
		Offset:     c.String(flagOffset),
		DryRun:     !c.Bool(flagYes),
		KeepUnused: access.QueryEviction(ctx, client).ExpiringKeys,
	})
	if err != nil {
		return err
	}
	skipped.Entry = skipped.Entry.Cut(most)
	return out.print(skipped, func(w io.Writer) { writeSkipped(w, skipped) })
}

func writeSkipped(w io.Writer, skipped admin.SkipResult) {
	verb := "skipped"
	if skipped.DryRun {
		verb = "would skip"
	}
	row(w, fmt.Sprintf("%s offset %s of partition %d of topic %s in group %s",
		verb, skipped.Entry.Offset, skipped.Split.Partition, skipped.Topic, skipped.Group))
	if skipped.DryRun {
		row(w, fmt.Sprintf("note: nothing was changed: --%s %s --%s skips this message",
			flagOffset, skipped.Entry.Offset, flagYes))
	}
	row(w)
	row(w, "Member:", cmp.Or(skipped.Owner, none))
	writeEntry(w, skipped.Entry)
}

// writeEntry writes the fields of an entry.
func writeEntry(w io.Writer, e admin.Entry) {
	row(w)
	row(w, "FIELD", "VALUE")
	for _, f := range e.List() {
		value := f.Value
		if f.Bytes > 0 {
			value = fmt.Sprintf("%s... (%s)", value, count(f.Bytes, "byte", "bytes"))
		}
		row(w, f.Name, value)
	}
}
