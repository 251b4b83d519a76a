package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of the given commands before their arguments. The parser treats
// everything after the first argument as arguments, but `topic create orders --partitions 4` should
// work too. flagsFirst returns command lines of other commands unchanged.
func flagsFirst(args []string, commands []*cli.Command) []string {
	for i := 1; i < len(args); i++ {
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[i]) })
		if at < 0 {
			if i == 1 && !strings.HasPrefix(args[i], "-") {
				return args // another command, whose arguments can be equal to names in commands
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
		case !complete: // let the parser report the missing value instead of using the next word
			return slices.Concat(args[:i+1], flags)
		}
		return slices.Concat(args[:i+1], flags, []string{"--"}, arguments)
	}
	return args
}

// partition separates flags, with their values, from arguments. It treats an unknown flag as a flag
// without a value, since the parser rejects it anyway. If a flag lacks its value, complete is
// false, and that flag is the last one.
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
