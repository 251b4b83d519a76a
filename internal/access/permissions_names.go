package access

// The senders that are scripts, by their names.
const (
	byEnroll          = "enroll"
	byHeartbeat       = "heartbeat"
	byPropose         = "propose"
	byLeave           = "leave"
	byClaim           = "claim"
	byCommit          = "commit"
	byReset           = "reset"
	byRelease         = "release"
	byNote            = "note"
	byFailing         = "failing"
	bySurvive         = "survive"
	byCountEntries    = "count_entries"
	byState           = "state"
	byPeek            = "peek"
	byShareOpen       = "share_open"
	byShareAck        = "share_ack"
	bySharePending    = "share_pending"
	byShareHolders    = "share_holders"
	byShareTake       = "share_take"
	byShareLoad       = "share_load"
	byShareAdopt      = "share_adopt"
	byShareNote       = "share_note"
	byShareFailing    = "share_failing"
	byShareSuspect    = "share_suspect"
	byShareSurvive    = "share_survive"
	byAppend          = "append"
	byCreateTopic     = "create_topic"
	byGrowTopic       = "grow_topic"
	bySeek            = "seek"
	bySkip            = "skip"
	bySkipShare       = "skip_share"
	byMarkLetters     = "mark_letters"
	byPurgeLetters    = "purge_letters"
	byDeleteGroup     = "delete_group"
	byDeleteLease     = "delete_lease"
	byDeleteShare     = "delete_share"
	byDeletePartition = "delete_partition"
	byShareState      = "share_state"
	bySeekShare       = "seek_share"
	byConvertGroup    = "convert_group"
	byToShare         = "convert_to_share"
	byToConsumer      = "convert_to_consumer"
	byAdoptPending    = "adopt_pending"
	byAdoptSettle     = "adopt_settle"
	byAdopt           = "adopt"
)

// The senders that are not scripts.
const (
	byConnection    = "connection"
	byCheck         = "check"
	byDescribe      = "describe"
	byWake          = "wake"
	byFetch         = "fetch"
	byMirror        = "mirror"       // a part of claim, commit and reset
	byPosition      = "position"     // a part of claim, seek and adopt
	byAdoptable     = "adoptable"    // a part of claim and adopt
	byIDs           = "ids"          // a part of append
	byShare         = "share"        // a part of share_open and share_ack
	byShareLag      = "share_lag"    // a part of share_holders and share_state
	byShareDelete   = "share_delete" // a part of share_ack
	byAttempts      = "attempts"     // a part of note, failing, share_note and share_failing
	byTakeOver      = "take_over"    // a part of share_take and share_adopt
	bySuspects      = "suspects"     // a part of share_ack, share_take, share_load and share_survive
	byShareRead     = "share read"
	byAnyScript     = "scripts"
	byTopicList     = "topic list"
	byTopicDescribe = "topic describe"
	byGroupList     = "group list"
	byGroupDescribe = "group describe"
	byTopicDelete   = "topic delete"
	byLetters       = "deadletter"
	byLetter        = "dead letter"       // by append
	byReplay        = "deadletter replay" // with append
	byGroupChange   = "group seek, skip and delete"
)

// Reasons that several commands share.
const (
	whyClock    = "the clock for leases, members and ages"
	whyCount    = "number of partitions"
	whyShare    = "generation and low-water mark of a share group"
	whyNative   = "the Redis consumer group that a share group is"
	whyTake     = "taking over what is pending at members that ended"
	whyIdle     = "taking over idle entries of other programs (`adopt_idle`)"
	whyPending  = "entries that are delivered and not acknowledged"
	whyState    = "start and end of a partition, lag and loss"
	whyGroup    = "members and plan of the group"
	whyGroups   = "the groups of the topic"
	whyDeleted  = "deleting acknowledged entries that no other group reads (`delete_on_ack`)"
	whyLease    = "leases and committed offsets"
	whyOldIDs   = "removing old message IDs"
	whyIDs      = "not writing a message whose ID is known"
	whyKillers  = "finding messages that kill the process"
	whyFailing  = "counting the attempts at entries that keep failing"
	whyProducer = "preventing that an entry is written twice"
	whyHints    = "other members act immediately, not only at their next heartbeat"
	whyMirror   = "showing the group's position in XINFO GROUPS"
	whyKept     = "protecting groups and leases from eviction by a volatile- policy"
	whyGrow     = "adding partitions to a topic"
	whySeek     = "seeking in a group"
	whyLetters  = "reading dead letters"
	whyReplay   = "replaying dead letters"
	whyPurge    = "deleting dead letters"
	whySkip     = "skipping an entry in a group"
	whyDelete   = "deleting topics and groups"
	whyMarked   = "reporting the deletion of a topic to members"
	whyAdopt    = "continuing a Redis consumer group of another program"
	whyConvert  = "converting a consumer group into a share group and back"
	whyCreate   = "creating the topic, and restoring its metadata after a loss"
)
