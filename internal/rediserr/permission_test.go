package rediserr

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNamesCommandIsFalseForCommandsInsideScripts(t *testing.T) {
	for text, names := range map[string]bool{
		"NOPERM this user has no permissions to run the 'xread' command":                                       true,
		"NOPERM User alice has no permissions to run the 'evalsha' command":                                    true,
		"ERR ACL failure in script: User alice has no permissions to run the 'hset' command script: f0":        false,
		"ERR ACL failure in script: User alice has no permissions to run the 'xadd' command (key orders:0)":    false,
		"ERR The user executing the script can't run this command or subcommand script: f0, on @user_script:1": false,
		"NOPERM No permissions to access a key":                                                                false,
	} {
		assert.Equal(t, names, NamesCommand(Error(text)), text)
	}
}
