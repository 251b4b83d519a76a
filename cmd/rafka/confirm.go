package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

const (
	flagDryRun = "dry-run"
	flagYes    = "yes"
)

// confirmFlags returns the flags of a command that changes nothing unless it is confirmed, with
// their descriptions.
func confirmFlags(yes, dryRun string) []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: flagYes, Aliases: []string{"y"}, Usage: yes},
		&cli.BoolFlag{Name: flagDryRun, Usage: dryRun},
	}
}

// confirmed returns an error unless the command line confirms a change or asks for a dry run. done
// is the participle of the change, dryRun and yes say what the flags do.
func confirmed(c *cli.Context, done, dryRun, yes string) error {
	if c.Bool(flagDryRun) || c.Bool(flagYes) {
		return nil
	}
	return fmt.Errorf("nothing was %s: --%s %s, --%s %s", done, flagDryRun, dryRun, flagYes, yes)
}

// deletionFlags returns the flags of a command that deletes something.
func deletionFlags() []cli.Flag {
	return confirmFlags("really delete", "only show what would be deleted")
}

// confirmedDeletion returns an error unless the command line confirms a deletion or asks for a dry
// run.
func confirmedDeletion(c *cli.Context, what string) error {
	return confirmed(c, "deleted", "shows what would be deleted", "deletes the "+what+" permanently")
}
