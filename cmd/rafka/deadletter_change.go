package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/admin"
)

const flagAllGroups = "all-groups"

func replayLettersCommand(schema *service.ConfigSchema, stdout, stderr io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "replay",
		Usage:     "Write dead letters back to the topics that they come from",
		ArgsUsage: "TOPIC",
		Description: "Each letter becomes a new message with its key. Only the group that gave it up processes it: " +
			"inputs of other groups pass over it. The letter stays, and is marked as replayed: it is not replayed " +
			"again.\n\n  {{.BinaryName}} deadletter replay orders-dead --group billing --dry-run\n" +
			"  {{.BinaryName}} deadletter replay orders-dead --group billing --yes",
		Flags: append(
			append(letterFlags(), confirmFlags("really replay them", "only count them")...),
			&cli.BoolFlag{Name: flagAllGroups, Usage: "all groups process the messages"},
		),
	}, []string{"TOPIC"}, func(_ context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
		return replayLetters(client, c, out, newProgress(stderr))
	})
}

func purgeLettersCommand(schema *service.ConfigSchema, stdout, stderr io.Writer) *cli.Command {
	return adminCommand(schema, stdout, cli.Command{
		Name:      "purge",
		Usage:     "Delete dead letters",
		ArgsUsage: "TOPIC",
		Description: "  {{.BinaryName}} deadletter purge orders-dead --replayed --dry-run\n" +
			"  {{.BinaryName}} deadletter purge orders-dead --until 720h --yes",
		Flags: append(append(letterFlags(), replayedFlag()), deletionFlags()...),
	}, []string{"TOPIC"}, func(_ context.Context, client redis.UniversalClient, c *cli.Context, out printer) error {
		return purgeLetters(client, c, out, newProgress(stderr))
	})
}

// letterChange is the result of the commands that change letters.
type letterChange struct {
	Topic  string `json:"stream_name"`
	DryRun bool   `json:"dry_run"`
	// Letters is the number of letters that were replayed or deleted.
	Letters int `json:"letters"`
	// Known is the number of replayed letters that an earlier replay had written already.
	Known int `json:"written_before,omitempty"`
	// Failed is the number of letters that could not be replayed.
	Failed int `json:"failed,omitempty"`
	// Others is the number of entries that are not dead letters. They stay.
	Others int64 `json:"other_entries"`
}

func replayLetters(client redis.UniversalClient, c *cli.Context, out printer, p *progress) error {
	if err := confirmed(c, "replayed", "counts the letters", "replays them"); err != nil {
		return err
	}
	query, err := letterQuery(c)
	if err != nil {
		return err
	}
	no := false
	query.Replayed = &no
	replay := admin.New(client).NewLetterReplay()
	replay.AllGroups, replay.DryRun = c.Bool(flagAllGroups), c.Bool(flagDryRun)
	changed := letterChange{Topic: query.Topic, DryRun: replay.DryRun}
	err = eachPage(client, c, query,
		func(ctx context.Context, scan *admin.LetterScan, page []admin.DeadLetter) (bool, error) {
			err := replay.Replay(ctx, page)
			changed.Others = scan.Others
			p.show(scan, replay.Replayed, "replayed")
			return true, err
		})
	p.end()
	changed.Letters, changed.Known, changed.Failed = replay.Replayed, replay.Known, replay.Failed
	if err != nil && changed.Letters+changed.Failed == 0 {
		return err
	}
	if replay.Err != nil {
		err = errors.Join(err, fmt.Errorf("%s not replayed, repeat the command when the cause is corrected: %w",
			count(replay.Failed, "letter was", "letters were"), replay.Err))
	}
	return errors.Join(out.print(changed, func(w io.Writer) { writeReplayed(w, changed) }), err)
}

func writeReplayed(w io.Writer, changed letterChange) {
	verb := "replayed"
	if changed.DryRun {
		verb = "would replay"
	}
	text := fmt.Sprintf("%s %s of topic %s", verb, count(changed.Letters, "letter", "letters"), changed.Topic)
	if changed.Known > 0 {
		text += fmt.Sprintf(", of which an earlier replay had written %d", changed.Known)
	}
	row(w, text)
	writeOthers(w, changed.Others)
}

func writeOthers(w io.Writer, others int64) {
	if others > 0 {
		row(w, fmt.Sprint("note: entries of the topic that are not dead letters stay unchanged: ", others))
	}
}

func purgeLetters(client redis.UniversalClient, c *cli.Context, out printer, p *progress) error {
	query, err := letterQuery(c)
	if err != nil {
		return err
	}
	if err := confirmedDeletion(c, "selected letters of topic "+query.Topic); err != nil {
		return err
	}
	a, changed := admin.New(client), letterChange{Topic: query.Topic, DryRun: c.Bool(flagDryRun)}
	err = eachPage(client, c, query,
		func(ctx context.Context, scan *admin.LetterScan, page []admin.DeadLetter) (bool, error) {
			n, err := len(page), error(nil)
			if !changed.DryRun {
				n, err = a.PurgeLetters(ctx, page)
			}
			changed.Letters += n
			changed.Others = scan.Others
			p.show(scan, changed.Letters, "deleted")
			return true, err
		})
	p.end()
	if err != nil && changed.Letters == 0 {
		return err
	}
	return errors.Join(out.print(changed, func(w io.Writer) {
		row(w, fmt.Sprintf("%s %s of topic %s",
			deleting(changed.DryRun), count(changed.Letters, "letter", "letters"), changed.Topic))
		writeOthers(w, changed.Others)
	}), err)
}
