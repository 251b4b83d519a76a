package main

import (
	"context"
	"fmt"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/admin"
)

func convertGroupCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "convert",
		Usage:     "Make a share group of a consumer group, or the other way round",
		ArgsUsage: "GROUP",
		Description: "Stop the inputs of the group first. The group keeps its place. A share group must have no " +
			"pending entries. Then set group_type of the inputs, and start them again.\n\n" +
			"  {{.BinaryName}} group convert billing --topic orders --to share --yes",
		Flags: append(
			confirmFlags("really convert it", "only show what would change"),
			topicFlag(),
			&cli.StringFlag{Name: flagTo, Usage: "consumer or share"},
		),
	}, []string{"GROUP"}, convertGroup)
}

func convertGroup(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	group, topic, err := groupOf(c)
	if err != nil {
		return err
	}
	err = confirmed(c, "changed", "shows what would change", "converts group "+group+" of topic "+topic)
	if err != nil {
		return err
	}
	converted, err := admin.New(client).ConvertGroup(ctx, admin.Conversion{
		Topic: topic, Group: group, To: c.String(flagTo), DryRun: c.Bool(flagDryRun),
		KeepUnused: access.QueryEviction(ctx, client).ExpiringKeys,
	})
	if err != nil {
		return err
	}
	return out.print(converted, func(w io.Writer) { writeConverted(w, converted) })
}

func writeConverted(w io.Writer, converted admin.ConvertResult) {
	verb := "%s group %s of topic %s is a %s group now: set group_type of its inputs to %s"
	if converted.DryRun {
		verb = "%s group %s of topic %s would become a %s group, and group_type of its inputs must be %s"
	}
	row(w, fmt.Sprintf(verb, converted.From, converted.Group, converted.Topic, converted.To, converted.To))
	row(w)
	row(w, "PARTITION", "CONTINUES AFTER")
	for _, p := range converted.Partitions {
		row(w, p.Split.Partition, optional(p.Offset))
	}
}
