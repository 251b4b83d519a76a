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

	deleteGroupScript       = script.New("delete_group", source("delete_group"))
	deleteLeaseScript       = script.New("delete_lease", broker.MirrorPart, source("delete_lease"))
	deleteShareScript       = script.New("delete_share", source("delete_share"))
	shareStateScript        = script.New("share_state", broker.ShareLagPart, source("share_state"))
	seekShareScript         = script.New("seek_share", broker.MirrorPart, broker.PositionPart, source("seek_share"))
	convertGroupScript      = script.New("convert_group", source("convert_group"))
	convertToShareScript    = script.New("convert_to_share", broker.MirrorPart, source("convert_to_share"))
	convertToConsumerScript = script.New("convert_to_consumer", broker.MirrorPart, source("convert_to_consumer"))
	deletePartitionScript   = script.New("delete_partition", broker.MovedPart, source("delete_partition"))
)
