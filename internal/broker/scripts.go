package broker

import (
	"embed"

	"github.com/rafka-streams/rafka/internal/script"
)

//go:embed lua
var lua embed.FS

func source(name string) string { return script.Source(lua, name) }

// Parts that several scripts share. Other packages use the exported parts too.
var (
	MirrorPart   = source("mirror")
	PositionPart = source("position")
	MovedPart    = source("moved")
	// AdoptablePart needs MirrorPart before it.
	AdoptablePart = source("adoptable")
	ShareLagPart  = source("share_lag")

	instancePart = source("instance")
	sharePart    = source("share")
	deletePart   = source("share_delete")
	departedPart = source("departed")
	attemptsPart = source("attempts")
	takeOverPart = source("take_over")
	suspectsPart = source("suspects")
)

var (
	createTopicScript = script.New("create_topic", source("create_topic"))

	enrollScript    = script.New("enroll", instancePart, source("enroll"))
	heartbeatScript = script.New("heartbeat", instancePart, departedPart, source("heartbeat"))
	proposeScript   = script.New("propose", source("propose"))
	leaveScript     = script.New("leave", instancePart, departedPart, source("leave"))

	claimScript   = script.New("claim", instancePart, MirrorPart, AdoptablePart, PositionPart, source("claim"))
	commitScript  = script.New("commit", MirrorPart, MovedPart, source("commit"))
	resetScript   = script.New("reset", MirrorPart, MovedPart, source("reset"))
	releaseScript = script.New("release", source("release"))
	surviveScript = script.New("survive", source("survive"))
	noteScript    = script.New("note", MovedPart, attemptsPart, source("note"))
	failingScript = script.New("failing", attemptsPart, source("failing"))

	adoptPendingScript = script.New("adopt_pending", source("adopt_pending"))
	adoptSettleScript  = script.New("adopt_settle", MirrorPart, MovedPart, source("adopt_settle"))

	stateScript        = script.New("state", source("state"))
	peekScript         = script.New("peek", source("peek"))
	countEntriesScript = script.New("count_entries", source("count_entries"))

	shareOpenScript    = script.New("share_open", MirrorPart, PositionPart, sharePart, source("share_open"))
	shareAckScript     = script.New("share_ack", MirrorPart, sharePart, suspectsPart, deletePart, source("share_ack"))
	sharePendingScript = script.New("share_pending", source("share_pending"))
	shareHoldersScript = script.New("share_holders", MirrorPart, ShareLagPart, source("share_holders"))
	shareTakeScript    = script.New("share_take", takeOverPart, suspectsPart, source("share_take"))
	shareAdoptScript   = script.New("share_adopt", takeOverPart, source("share_adopt"))
	shareLoadScript    = script.New("share_load", suspectsPart, source("share_load"))
	shareNoteScript    = script.New("share_note", attemptsPart, source("share_note"))
	shareFailingScript = script.New("share_failing", attemptsPart, source("share_failing"))
	shareSuspectScript = script.New("share_suspect", source("share_suspect"))
	shareSurviveScript = script.New("share_survive", suspectsPart, source("share_survive"))

	appendScript = script.New("append", source("ids"), source("append"))
)
