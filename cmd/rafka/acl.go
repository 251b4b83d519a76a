package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/internal/access"
)

const (
	flagUser       = "user"
	flagGroup      = "group"
	flagMinimal    = "minimal"
	flagDeadLetter = "dead-letter"
)

// aclCommand returns the command that prints ACL rules. It sends nothing to a server.
func aclCommand(stdout io.Writer) *cli.Command {
	topic := &cli.StringFlag{Name: flagTopic, Aliases: []string{"t"}, Usage: "the stream_name"}
	partitions := &cli.IntFlag{
		Name:    flagPartitions,
		Aliases: []string{"p"},
		Usage: "the number of partitions that the topic has or will have: the patterns then match no more digits, " +
			"and a writer may create the topic (default: the highest possible number)",
	}
	group := &cli.StringFlag{Name: flagGroup, Aliases: []string{"g"}, Usage: "the consumer_group"}
	letters := &cli.StringFlag{
		Name:  flagDeadLetter,
		Usage: "the dead_letter.stream_name of the input: adds the rules for writing dead letters to it",
	}
	return parentCommand(
		"acl",
		"Print the ACL rules that a user of the server needs, without connecting to a server",
		aclRole(
			stdout,
			access.RoleReader,
			"Print the line for the user of an input",
			"acl reader --topic orders --group billing --dead-letter orders-dead",
			topic, partitions, group, letters,
		),
		aclRole(
			stdout,
			access.RoleSharer,
			"Print the line for the user of an input with group_type share",
			"acl sharer --topic orders --group billing",
			topic, partitions, group, letters,
		),
		aclRole(
			stdout,
			access.RoleWriter,
			"Print the line for the user of an output",
			"acl writer --topic orders --partitions 8",
			topic, partitions,
		),
		aclRole(
			stdout,
			access.RoleLetters,
			"Print the line that the user of an input also needs to write dead letters to a topic",
			"acl deadletter --topic orders-dead",
			topic, partitions,
		),
		aclRole(
			stdout,
			access.RoleAdmin,
			"Print the line for the user of the commands topic, group and deadletter",
			"acl admin",
			&cli.StringFlag{
				Name:    flagTopic,
				Aliases: []string{"t"},
				Usage:   "one topic instead of all; any stream can be a topic",
			},
			partitions,
		),
	)
}

func aclRole(stdout io.Writer, role access.Role, usage, example string, flags ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name:            string(role),
		Usage:           usage,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Description: "Lines for one user can be combined. docs/reference/permissions.md explains each rule.\n\n  " +
			"{{.BinaryName}} " + example,
		Flags: append(
			flags,
			&cli.StringFlag{
				Name:    flagUser,
				Aliases: []string{"u"},
				Usage:   "the user's name (default: rafka-" + string(role) + ")",
			},
			&cli.BoolFlag{Name: flagMinimal, Usage: "omit the rules that rafka can work without"},
			&cli.StringFlag{Name: flagFormat, Value: formatText, Usage: "text or json"},
		),
		Action: func(c *cli.Context) error { return printACL(c, stdout, role) },
	}
}

// acl is the JSON result of `acl`.
type acl struct {
	User string      `json:"user"`
	Role access.Role `json:"role"`
	// Rules holds the rules for ACL SETUSER, one per argument.
	Rules   []string `json:"rules"`
	Command string   `json:"command"`
}

func printACL(c *cli.Context, stdout io.Writer, role access.Role) error {
	if c.NArg() > 0 {
		return fmt.Errorf("%s needs no arguments, got %d: see --help", c.Command.HelpName, c.NArg())
	}
	format, err := formatOf(c)
	if err != nil {
		return err
	}
	if c.String(flagTopic) == "" && role != access.RoleAdmin {
		return fmt.Errorf("--%s is required: the stream_name of the %s", flagTopic, role)
	}
	if c.String(flagGroup) == "" && (role == access.RoleReader || role == access.RoleSharer) {
		return fmt.Errorf("--%s is required: the consumer_group of the %s", flagGroup, role)
	}
	rules, err := access.ACL{
		Role: role, Topic: c.String(flagTopic), Group: c.String(flagGroup),
		Partitions: c.Int(flagPartitions), Minimal: c.Bool(flagMinimal), Creates: c.Int(flagPartitions) > 0,
		Letters: c.String(flagDeadLetter),
	}.Rules()
	if err != nil {
		return err
	}
	answer := acl{User: cmp.Or(c.String(flagUser), "rafka-"+string(role)), Role: role, Rules: rules}
	words := append([]string{"ACL", "SETUSER", answer.User, "on", ">PASSWORD"}, rules...)
	for i, word := range words {
		words[i] = quote(word)
	}
	answer.Command = strings.Join(words, " ")
	return printer{stdout, format}.print(answer, func(w io.Writer) { row(w, answer.Command) })
}

// quote returns a word in the quoting of redis-cli.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \"'\\") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}
