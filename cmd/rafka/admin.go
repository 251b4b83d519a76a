package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

const (
	flagFormat  = "format"
	flagTimeout = "timeout"

	formatText = "text"
	formatJSON = "json"
)

// adminAction is the part of a command after it has connected. It writes its result to the printer.
type adminAction func(ctx context.Context, client redis.UniversalClient, c *cli.Context, out printer) error

// adminCommand returns a command that sends requests to Redis. The arguments are the names of its
// arguments, in order.
func adminCommand(
	schema *service.ConfigSchema, stdout io.Writer, command cli.Command, arguments []string, action adminAction,
) *cli.Command {
	command.HideHelpCommand = true // a topic may be called "help"
	command.OnUsageError = usageError
	command.Flags = append(command.Flags,
		&cli.StringFlag{Name: flagFormat, Value: formatText, Usage: "text or json"},
		&cli.DurationFlag{Name: flagTimeout, Value: 15 * time.Second, Usage: "how long the command may take"},
	)
	command.Flags = append(command.Flags, connectionFlags()...)
	command.Action = func(c *cli.Context) error {
		if c.NArg() != len(arguments) {
			return fmt.Errorf(
				"%s needs %s, got %d arguments: see --help",
				c.Command.HelpName,
				wanted(arguments),
				c.NArg(),
			)
		}
		format, err := formatOf(c)
		if err != nil {
			return err
		}
		err = connected(c, schema, func(ctx context.Context, client redis.UniversalClient) error {
			return action(ctx, client, c, printer{stdout, format})
		})
		if err != nil {
			return errors.New(lines(err))
		}
		return nil
	}
	return &command
}

func formatOf(c *cli.Context) (string, error) {
	format := c.String(flagFormat)
	if format != formatText && format != formatJSON {
		return "", fmt.Errorf("--%s is %q: use %s or %s", flagFormat, format, formatText, formatJSON)
	}
	return format, nil
}

// connected runs the action with a client of the server that the flags name. It first checks that
// rafka supports the server.
func connected(
	c *cli.Context,
	schema *service.ConfigSchema,
	action func(context.Context, redis.UniversalClient) error,
) error {
	connection, err := parseConnection(c, schema)
	if err != nil {
		return err
	}
	timeout := c.Duration(flagTimeout)
	client, err := connection.Open(config.Control(timeout))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(c.Context, timeout)
	defer cancel()
	if err := access.CheckServer(ctx, client); err != nil {
		return rediserr.Explain(err)
	}
	if err := action(ctx, client); err != nil {
		return rediserr.Explain(access.NameDenied(ctx, client, err))
	}
	return nil
}

// parentCommand returns a command that only has subcommands.
func parentCommand(name, usage string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, Subcommands: commands, OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("%s has no command %q: see --help", c.Command.HelpName, c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// lines returns an error for a terminal: one line per problem of an incomplete result, and one line
// for any other error.
func lines(err error) string {
	partial, ok := errors.AsType[*admin.PartialError](err)
	if !ok {
		return oneLine(err)
	}
	texts := make([]string, len(partial.Problems))
	for i, problem := range partial.Problems {
		texts[i] = oneLine(problem)
	}
	return strings.Join(texts, "\n")
}

// oneLine returns an error, including joined errors, as one line. It escapes control characters,
// since the error can contain text from a server.
func oneLine(err error) string { return keys.Visible(strings.Join(strings.Fields(err.Error()), " ")) }

func usageError(c *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%s: %w: see --help", c.Command.HelpName, err)
}

func wanted(arguments []string) string {
	if len(arguments) == 0 {
		return "no arguments"
	}
	return fmt.Sprint(arguments)
}
