package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCommandsThatMustBeConfirmedChangeNothing(t *testing.T) {
	_, client := startRedis(t)
	for command, want := range map[string]string{
		"topic delete orders": "nothing was deleted: --dry-run shows what would be deleted, --yes deletes the topic " +
			"orders permanently",
		"group delete g -t orders": "nothing was deleted: --dry-run shows what would be deleted, --yes deletes the " +
			"group g of topic orders permanently",
		"group convert g -t orders --to share": "nothing was changed: --dry-run shows what would change, --yes " +
			"converts group g of topic orders",
		"group adopt g -t orders": "nothing was changed: --dry-run shows what would be adopted, --yes confirms that " +
			"all readers of the Redis consumer group are stopped",
		"deadletter replay dead": "nothing was replayed: --dry-run counts the letters, --yes replays them",
		"deadletter purge dead": "nothing was deleted: --dry-run shows what would be deleted, --yes deletes the " +
			"selected letters of topic dead permanently",
	} {
		fails(t, strings.Fields(command), want)
	}
	assert.Zero(t, client.DBSize(t.Context()).Val())
}
