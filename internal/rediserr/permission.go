package rediserr

import (
	"fmt"
	"regexp"
	"strings"
)

// GrantRemedy says how to give a user rules.
func GrantRemedy(rules ...string) string {
	return fmt.Sprintf(
		"the user lacks a permission: grant it with ACL SETUSER <username> %s; `rafka acl` prints all that is needed",
		strings.Join(rules, " "),
	)
}

// commandDenied finds the command in the words in which servers deny one, by itself or, from Redis
// 7.2 and Valkey on, in a script.
var commandDenied = regexp.MustCompile(`permissions? to run the '([^']+)' command`)

// permissionRemedy is the remedy for the error of a server that denies something.
func permissionRemedy(text string) string {
	switch found := commandDenied.FindStringSubmatch(text); {
	case found != nil:
		return GrantRemedy("+" + found[1])
	case strings.Contains(text, "channel"):
		return GrantRemedy("&<channel>")
	case strings.Contains(text, "key"):
		return GrantRemedy("~<key>")
	}
	return GrantRemedy("+<command>")
}

// NamesCommand reports whether the error denies a command that was sent by itself, and names it.
// One that was called in a script is named with neither its key nor the other commands that the
// script needs.
func NamesCommand(err error) bool {
	text := err.Error()
	return commandDenied.MatchString(text) && !strings.Contains(text, deniedInScript)
}
