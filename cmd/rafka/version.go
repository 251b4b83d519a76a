package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// Set by the linker: -ldflags "-X main.linkedVersion=v1.2.3 -X
// main.linkedDate=2026-01-31T12:00:00Z".
var linkedVersion, linkedDate string

// stamps returns the version of the binary and the time of its build. The values of the linker come
// first, then what the toolchain recorded: the version of the module for `go install`, and the
// commit for a build in a clone.
func stamps(info *debug.BuildInfo) (version, date string) {
	if info != nil {
		version = info.Main.Version
		for _, setting := range info.Settings {
			if setting.Key == "vcs.time" {
				date = setting.Value
			}
		}
	}
	return cmp.Or(linkedVersion, version, "unknown"), cmp.Or(linkedDate, date, "unknown")
}

// versionCommand returns a command that prints the same as the flag --version.
func versionCommand(stdout io.Writer) *cli.Command {
	return &cli.Command{
		Name:            "version",
		Usage:           "Print the version and when it was built",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("%s needs no arguments, got %d: see --help", c.Command.HelpName, c.NArg())
			}
			version, date := buildStamps()
			_, err := fmt.Fprintf(stdout, "Version: %s\nDate: %s\n", version, date)
			return err
		},
	}
}
