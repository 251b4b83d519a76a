package admin

import (
	"embed"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/script"
)

//go:embed lua
var lua embed.FS

func source(name string) string { return script.Source(lua, name) }

var (
	growTopicScript = script.New("grow_topic", source("grow_topic"))

	seekScript = script.New("seek", broker.MirrorPart, broker.PositionPart, broker.MovedPart, source("seek"))

	skipScript      = script.New("skip", broker.MirrorPart, broker.MovedPart, source("skip"))
	skipShareScript = script.New("skip_share", source("skip_share"))

	markLettersScript  = script.New("mark_letters", source("mark_letters"))
	purgeLettersScript = script.New("purge_letters", source("purge_letters"))

	adoptScript = script.New(
		"adopt", broker.MirrorPart, broker.AdoptablePart, broker.PositionPart, source("adopt"))

	deleteGroupScript     = script.New("delete_group", source("delete_group"))
	deleteLeaseScript     = script.New("delete_lease", broker.MirrorPart, source("delete_lease"))
	deleteShareScript     = script.New("delete_share", source("delete_share"))
	deletePartitionScript = script.New("delete_partition", broker.MovedPart, source("delete_partition"))
)
