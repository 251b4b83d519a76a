package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
)

const flagTopic = "topic"

func groupCommand(schema *service.ConfigSchema, stdout io.Writer) *cli.Command {
	return parentCommand("group", "List, describe, move, adopt, convert and delete groups, and skip messages",
		adminCommand(schema, stdout, cli.Command{
			Name:  "list",
			Usage: "List groups",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: flagTopic, Aliases: []string{"t"}, Usage: "only the groups of this topic"},
			},
		}, nil, listGroups),
		adminCommand(schema, stdout, cli.Command{
			Name: "describe",
			Usage: "Show the members of a group, and the owner, committed offset and lag of each partition, " +
				"or what is pending",
			ArgsUsage:   "GROUP",
			Description: "  {{.BinaryName}} group describe billing --topic orders",
			Flags:       []cli.Flag{topicFlag()},
		}, []string{"GROUP"}, describeGroup),
		seekGroupCommand(schema, stdout),
		skipGroupCommand(schema, stdout),
		adoptGroupCommand(schema, stdout),
		convertGroupCommand(schema, stdout),
		deleteGroupCommand(schema, stdout),
	)
}

func listGroups(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	groups, err := admin.New(client).ListGroups(ctx, c.String(flagTopic))
	return out.printPartial(err, listed(groups), func(w io.Writer) {
		row(w, "GROUP", "TOPIC", "TYPE", "MEMBERS")
		for _, g := range groups {
			row(w, g.Group, g.Topic, g.Type, g.Members)
		}
	})
}

func describeGroup(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	name, topic, err := groupOf(c)
	if err != nil {
		return err
	}
	group, err := admin.New(client).DescribeGroup(ctx, topic, name)
	return out.printPartial(err, group, func(w io.Writer) { writeGroup(w, group) })
}

func writeGroup(w io.Writer, group admin.GroupDescription) {
	if group.Type == broker.ShareGroup {
		writeShareGroup(w, group)
		return
	}
	row(w, "Group:", group.Group)
	row(w, "Topic:", group.Topic)
	row(w, "Type:", group.Type)
	row(w, "Lag:", totalLag(group.Partitions))
	row(w, "Members:", len(group.Members))
	for _, member := range group.Members {
		row(w, "", member)
	}
	for _, p := range group.Partitions {
		if p.Adopting != "" {
			row(w, fmt.Sprintf("note: in partition %d, what is pending in the Redis consumer group %s comes first",
				p.Split.Partition, p.Adopting))
		}
	}
	row(w)
	row(w, "PARTITION", "OWNER", "LEASE", "COMMITTED", "LAG", "AGE")
	for _, p := range group.Partitions {
		row(
			w,
			p.Split.Partition,
			cmp.Or(p.Owner, none),
			lease(p),
			optional(p.Committed),
			lag(p.Lag, p.LagExact),
			duration(p.Age),
		)
	}
}

// lease returns the time until the owner's lease expires, unless it is renewed.
func lease(p admin.GroupPartition) string {
	if p.Owner != "" && p.Expires <= 0 {
		return "expired"
	}
	return duration(p.Expires)
}

// totalLag returns the sum of the known lags.
func totalLag(partitions []admin.GroupPartition) string {
	sum, unknown, exact := int64(0), 0, true
	for _, p := range partitions {
		if p.Lag == admin.LagUnknown {
			unknown++
			continue
		}
		sum += p.Lag
		exact = exact && p.LagExact
	}
	if unknown > 0 {
		return fmt.Sprintf("%s, unknown for %s", lag(sum, exact), partitionCount(unknown))
	}
	return lag(sum, exact)
}

// lag returns a lag as text: <=N if N is an upper bound.
func lag(entries int64, exact bool) string {
	if entries == admin.LagUnknown || exact {
		return known(entries)
	}
	return "<=" + known(entries)
}
