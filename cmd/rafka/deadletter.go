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
)

const (
	flagOriginTopic     = "origin-topic"
	flagOriginPartition = "origin-partition"
	flagOriginOffset    = "origin-offset"
	flagError           = "error"
	flagErrorRegex      = "error-regex"
	flagSince           = "since"
	flagUntil           = "until"
	flagReplayed        = "replayed"
	flagLimit           = "limit"
)

func deadletterCommand(schema *service.ConfigSchema, stdout, stderr io.Writer) *cli.Command {
	return parentCommand("deadletter", "List, show, replay and delete the messages of a dead-letter topic",
		adminCommand(schema, stdout, cli.Command{
			Name:      "list",
			Usage:     "List dead letters, with where they come from and why",
			ArgsUsage: "TOPIC",
			Description: "  {{.BinaryName}} deadletter list orders-dead --group billing --since 24h\n" +
				"  {{.BinaryName}} deadletter list orders-dead --error 'HTTP 422' --limit 1000 --format json",
			Flags: append(letterFlags(), replayedFlag(), limitFlag(100)),
		}, []string{"TOPIC"}, listLetters),
		adminCommand(schema, stdout, cli.Command{
			Name:        "show",
			Usage:       "Show dead letters with their messages",
			ArgsUsage:   "TOPIC",
			Description: "  {{.BinaryName}} deadletter show orders-dead --offset 1769846400000-0",
			Flags:       append(letterFlags(), replayedFlag(), limitFlag(10), maxBytesFlag()),
		}, []string{"TOPIC"}, showLetters),
		replayLettersCommand(schema, stdout, stderr),
		purgeLettersCommand(schema, stdout, stderr),
	)
}

// letterFlags returns the flags that select dead letters.
func letterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagOriginTopic, Usage: "only letters that come from this topic"},
		&cli.IntFlag{Name: flagOriginPartition, Value: -1, DefaultText: "all", Usage: "only letters that come from " +
			"this partition"},
		&cli.StringFlag{Name: flagOriginOffset, Usage: "only letters of the message with this ID there"},
		&cli.StringFlag{Name: flagGroup, Aliases: []string{"g"}, Usage: "only letters of this consumer_group"},
		&cli.StringFlag{Name: flagError, Usage: "only letters whose error contains this text"},
		&cli.StringFlag{Name: flagErrorRegex, Usage: "only letters whose error matches this regular expression"},
		&cli.StringFlag{Name: flagSince, Usage: "only letters written since then: a time (RFC 3339), or a duration " +
			"such as 2h"},
		&cli.StringFlag{Name: flagUntil, Usage: "only letters written before then"},
		&cli.IntFlag{
			Name:        flagPartition,
			Value:       -1,
			DefaultText: "all",
			Usage:       "only letters in this partition of TOPIC",
		},
		&cli.StringFlag{Name: flagOffset, Usage: "only the letter with this ID"},
	}
}

func replayedFlag() cli.Flag {
	return &cli.BoolFlag{Name: flagReplayed, Usage: "only letters that were replayed"}
}

func limitFlag(value int) cli.Flag {
	return &cli.IntFlag{Name: flagLimit, Value: value, Usage: "the largest number of letters"}
}

// letterQuery returns the query that the flags describe.
func letterQuery(c *cli.Context) (q admin.LetterQuery, err error) {
	for _, name := range []string{flagPartition, flagOriginPartition} {
		if c.IsSet(name) && c.Int(name) < 0 {
			return q, fmt.Errorf("--%s is negative: use the number of a partition", name)
		}
	}
	q = admin.LetterQuery{
		Topic: c.Args().First(), Partition: c.Int(flagPartition), Offset: c.String(flagOffset),
		Since: c.String(flagSince), Until: c.String(flagUntil),
		OriginTopic: c.String(flagOriginTopic), OriginPartition: c.Int(flagOriginPartition),
		OriginOffset: c.String(flagOriginOffset), Group: c.String(flagGroup),
		Error: c.String(flagError), ErrorRegex: c.String(flagErrorRegex),
	}
	if c.Bool(flagReplayed) {
		yes := true
		q.Replayed = &yes
	}
	return q, nil
}

// letterList is the result of the commands that only read.
type letterList[T any] struct {
	Topic   string `json:"stream_name"`
	Letters []T    `json:"letters"`
	// More is true if there are more letters than the limit.
	More bool `json:"more"`
	// Others is the number of entries that were read and are not dead letters.
	Others int64 `json:"other_entries"`
}

// readLetters returns the letters that the flags select, up to the limit. It shortens their values
// to most bytes.
func readLetters(client redis.UniversalClient, c *cli.Context, most int) (letterList[admin.DeadLetter], error) {
	limit := c.Int(flagLimit)
	found := letterList[admin.DeadLetter]{Topic: c.Args().First(), Letters: []admin.DeadLetter{}}
	if limit < 1 {
		return found, fmt.Errorf("--%s is %d: use 1 or more", flagLimit, limit)
	}
	query, err := letterQuery(c)
	if err != nil {
		return found, err
	}
	err = eachPage(
		client,
		c,
		query,
		func(_ context.Context, scan *admin.LetterScan, page []admin.DeadLetter) (bool, error) {
			found.Others = scan.Others
			for _, l := range page {
				if found.More = len(found.Letters) == limit; found.More {
					return false, nil
				}
				found.Letters = append(found.Letters, l.Cut(most))
			}
			return true, nil
		},
	)
	return found, err
}

// eachPage calls do for each page of the letters that a query selects, until do returns false. Each
// page may take as long as --timeout says.
func eachPage(
	client redis.UniversalClient,
	c *cli.Context,
	query admin.LetterQuery,
	do func(ctx context.Context, scan *admin.LetterScan, page []admin.DeadLetter) (goOn bool, err error),
) error {
	var scan *admin.LetterScan
	for {
		done, err := onePage(c, func(ctx context.Context) (done bool, err error) {
			if scan == nil {
				if scan, err = admin.New(client).Letters(ctx, query); err != nil {
					return true, err
				}
			}
			page, done, err := scan.Next(ctx)
			if done || err != nil {
				return true, err
			}
			goOn, err := do(ctx, scan, page)
			return !goOn, err
		})
		if done || err != nil {
			return err
		}
	}
}

// onePage calls do with a context that ends after --timeout.
func onePage(c *cli.Context, do func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration(flagTimeout))
	defer cancel()
	return do(ctx)
}

// listedBytes is how much of each value a listed letter keeps, in memory.
const listedBytes = 200

func listLetters(_ context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	found, err := readLetters(client, c, listedBytes)
	if err != nil {
		return err
	}
	return out.print(found, func(w io.Writer) {
		row(w, "PARTITION", "OFFSET", "GROUP", "ORIGIN", "DELIVERIES", "TIME", "REPLAYED", "ERROR")
		for _, l := range found.Letters {
			o := l.Origin
			row(w, l.Split.Partition, l.Entry.Offset, o.Group, fmt.Sprintf("%s-%d %s", o.Topic, o.Partition, o.Offset),
				o.Deliveries, moment(o.Time.UnixMilli()), replayedAt(l), l.ShortError(listedBytes))
		}
		writeListNotes(w, found.More, found.Others)
	})
}

// replayedAt returns when a letter was replayed.
func replayedAt(l admin.DeadLetter) string {
	if l.ReplayedAt.IsZero() {
		return none
	}
	return moment(l.ReplayedAt.UnixMilli())
}

// writeListNotes writes what a list lacks.
func writeListNotes(w io.Writer, more bool, others int64) {
	if more {
		row(w, fmt.Sprintf("note: there are more letters: raise --%s, or select fewer", flagLimit))
	}
	if others > 0 {
		row(w, fmt.Sprint("note: entries that were read and are not dead letters: ", others))
	}
}

func showLetters(_ context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
	most, err := maxBytes(c)
	if err != nil {
		return err
	}
	found, err := readLetters(client, c, most)
	if err != nil {
		return err
	}
	shown := letterList[admin.ShownLetter]{
		Topic: found.Topic, Letters: []admin.ShownLetter{}, More: found.More, Others: found.Others,
	}
	for _, l := range found.Letters {
		shown.Letters = append(shown.Letters, admin.ShownLetter{DeadLetter: l})
	}
	return out.print(shown, func(w io.Writer) {
		for i, l := range found.Letters {
			if i > 0 {
				row(w)
			}
			row(w, "Letter:", fmt.Sprintf("partition %d, offset %s", l.Split.Partition, l.Entry.Offset))
			row(w, "Key:", cmp.Or(l.Key(), none))
			row(w, "Replayed:", replayedAt(l))
			writeEntry(w, l.Entry)
		}
		writeListNotes(w, found.More, found.Others)
	})
}
