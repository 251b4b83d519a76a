package main

import (
	"context"
	"fmt"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/admin"
)

const (
	flagFrom   = "from"
	flagRemove = "remove"
)

func adoptGroupCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "adopt",
		Usage:     "Continue where a Redis consumer group of another program stands",
		ArgsUsage: "GROUP",
		Description: "Stop all readers of the Redis consumer group first. The inputs of GROUP then begin with the " +
			"entries that are pending there, and acknowledge them there. Everything after its last-delivered-id " +
			"follows. GROUP must not have offsets yet.\n\n" +
			"  {{.BinaryName}} group adopt billing --topic orders --yes",
		Flags: append(
			confirmFlags("its readers are stopped: really adopt it", "only show what would be adopted"),
			topicFlag(),
			&cli.StringFlag{Name: flagFrom, Usage: "the Redis consumer group, if it is not called GROUP"},
			&cli.BoolFlag{
				Name:  flagRemove,
				Usage: "remove the Redis consumer group of --from when nothing is pending there any more",
			},
		),
	}, []string{"GROUP"}, adoptGroup)
}

func adoptGroup(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	group, topic, err := groupOf(c)
	if err != nil {
		return err
	}
	if from := c.String(flagFrom); c.Bool(flagRemove) && (from == "" || from == group) {
		return fmt.Errorf("--%s needs --%s with another name than %s: the Redis consumer group %[3]s is not removed, "+
			"since it will show the offsets of the group", flagRemove, flagFrom, group)
	}
	err = confirmed(c, "changed", "shows what would be adopted",
		"confirms that all readers of the Redis consumer group are stopped")
	if err != nil {
		return err
	}
	adopted, err := admin.New(client).AdoptGroup(ctx, admin.Adoption{
		Topic: topic, Group: group, From: c.String(flagFrom), Remove: c.Bool(flagRemove), DryRun: c.Bool(flagDryRun),
	})
	if err != nil {
		return err
	}
	return out.print(adopted, func(w io.Writer) { writeAdopted(w, adopted) })
}

func writeAdopted(w io.Writer, adopted admin.AdoptResult) {
	verb := "group %s of topic %s continues the Redis consumer group %s"
	if adopted.DryRun {
		verb = "group %s of topic %s would continue the Redis consumer group %s"
	}
	row(w, fmt.Sprintf(verb, adopted.Group, adopted.Topic, adopted.From))
	for _, reader := range adopted.Readers {
		row(w, fmt.Sprintf("note: client %s waits in XREADGROUP; Redis does not say for which stream. If it reads %s, "+
			"stop it: otherwise entries are processed twice", reader, adopted.Topic))
	}
	row(w)
	row(w, "PARTITION", "LAST DELIVERED", "PENDING", "CONSUMERS", "LAG", "NOTE")
	for _, p := range adopted.Partitions {
		note := none
		if p.Again {
			note = "adopted before"
		}
		row(w, p.Split.Partition, p.Offset, p.Pending, p.Consumers, lag(p.Lag, p.LagExact), note)
	}
}
