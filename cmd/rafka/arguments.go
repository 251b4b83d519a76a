package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of one of the given commands before its arguments: the parser takes
// all that follows the first argument for arguments, while people write `topic create orders
// --partitions 4`. Command lines of other commands come back as they are.
func flagsFirst(args []string, commands []*cli.Command) []string {
	for i := 1; i < len(args); i++ {
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[i]) })
		if at < 0 {
			if i == 1 && !strings.HasPrefix(args[i], "-") {
				return args // another command, whose arguments may be called like one of ours
			}
			continue
		}
		command := commands[at]
		if i+1 < len(args) && command.Command(args[i+1]) != nil {
			i, command = i+1, command.Command(args[i+1])
		}
		flags, arguments, complete := partition(args[i+1:], command.Flags)
		switch {
		case len(flags) == 0:
			return args
		case !complete: // what follows would be taken for the value: the parser is to say that it is missing
			return slices.Concat(args[:i+1], flags)
		}
		return slices.Concat(args[:i+1], flags, []string{"--"}, arguments)
	}
	return args
}

// partition separates flags, with their values, from arguments. An unknown flag is one without a
// value: the parser will refuse it. If a flag lacks its value, complete is false, and the flag is
// the last one.
func partition(args []string, known []cli.Flag) (flags, arguments []string, complete bool) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return flags, append(arguments, args[i+1:]...), true
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !strings.HasPrefix(arg, "-") || name == "" {
			arguments = append(arguments, arg)
			continue
		}
		flags = append(flags, arg)
		if !takesValue(name, known) || hasValue {
			continue
		}
		if i++; i == len(args) || args[i] == "--" {
			return flags, arguments, false
		}
		flags = append(flags, args[i])
	}
	return flags, arguments, true
}

func takesValue(name string, known []cli.Flag) bool {
	return slices.ContainsFunc(known, func(flag cli.Flag) bool {
		documented, ok := flag.(cli.DocGenerationFlag)
		return ok && documented.TakesValue() && slices.Contains(flag.Names(), name)
	})
}
