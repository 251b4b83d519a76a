package rediserr

import (
	"fmt"
	"regexp"
	"strings"
)

// GrantRemedy returns the remedy that grants these ACL rules to a user.
func GrantRemedy(rules ...string) string {
	return fmt.Sprintf(
		"the user lacks a permission: grant it with ACL SETUSER <username> %s; "+
			"`rafka acl` prints all rules that the user needs",
		strings.Join(rules, " "),
	)
}

// commandDenied finds the denied command in the error of a server. Redis before 7.2 uses this text
// only for a command outside a script. Valkey, and Redis 7.2 and later, use it inside scripts too.
var commandDenied = regexp.MustCompile(`permissions? to run the '([^']+)' command`)

// permissionRemedy returns the remedy for a server's error about a missing permission.
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

// NamesCommand reports whether the error names a denied command that was sent outside a script. It
// returns false for a command inside a script: that error names neither the key nor the other
// commands that the script needs.
func NamesCommand(err error) bool {
	text := err.Error()
	return commandDenied.MatchString(text) && !strings.Contains(text, deniedInScript)
}
