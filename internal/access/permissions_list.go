package access

import "slices"

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

// permissions lists every command that rafka sends, by sender. The checks, the output of `rafka
// acl` and the tables in docs/reference/permissions.md are generated from it. AUTH and HELLO are
// not in the list, because servers permit them to every user.
var permissions = slices.Concat(pipelinePermissions, adminPermissions)

// pipelinePermissions are the permissions that inputs and outputs need. The commands `rafka topic`,
// `rafka group` and `rafka deadletter` use some of them too.
var pipelinePermissions = []permission{
	{byConnection, optional, "CLIENT SETNAME n", "naming the connections in CLIENT LIST"},
	{byConnection, optional, "INFO memory", "warning about an eviction policy that loses data"},
	{byConnection, optional, "PING", "detecting broken connections"},
	{byConnection, onCluster, "CLUSTER SLOTS", "finding the nodes of a cluster"},
	{byConnection, onCluster, "ASKING", "following a slot while it moves to another node"},
	{byConnection, optionalOnCluster, "COMMAND", "sending COMMAND once, not with every request"},
	{byAnyScript, required, "EVALSHA s 1 <every>", "running scripts"},
	{byAnyScript, required, "EVAL s 1 <every>", "loading scripts"},
	{byCheck, optional, "TYPE <every>", "reporting keys of another type before anything is read or written"},
	{byDescribe, required, "HGETALL <metadata>", whyCount},

	{byEnroll, required, "TIME", whyClock},
	{byEnroll, required, "HGET <plan> f", whyGroup},
	{byHeartbeat, required, "TIME", whyClock},
	{byHeartbeat, required, "HMGET <plan> f", whyGroup},
	{byHeartbeat, required, "HSET <plan> f v", whyGroup},
	{byHeartbeat, required, "HDEL <plan> f", whyGroup},
	{byHeartbeat, required, "PEXPIRE <plan> 1", whyGroup},
	{byHeartbeat, required, "PEXPIRE <members> 1", whyGroup},
	{byHeartbeat, required, "PERSIST <plan>", whyKept},
	{byHeartbeat, required, "PERSIST <members>", whyKept},
	{byHeartbeat, required, "ZADD <members> 1 m", whyGroup},
	{byHeartbeat, required, "ZCARD <members>", whyGroup},
	{byHeartbeat, required, "ZSCORE <members> m", whyGroup},
	{byHeartbeat, required, "ZRANGE <members> 0 -1", whyGroup},
	{byHeartbeat, required, "ZRANGEBYSCORE <members> 0 1", whyGroup},
	{byHeartbeat, required, "ZREMRANGEBYSCORE <members> 0 1", whyGroup},
	{byHeartbeat, required, "SISMEMBER <groups> g", whyGroups},
	{byHeartbeat, required, "SADD <groups> g", whyGroups},
	{byHeartbeat, required, "SMEMBERS <groups>", whyGroups},
	{byHeartbeat, required, "HGET <metadata> f", whyCount},
	{byHeartbeat, required, "EXISTS <plain>", "the start of a group of a plain topic"},
	{byHeartbeat, optional, "PUBLISH <group-hints> m", whyHints},
	{byPropose, required, "HMGET <plan> f", whyGroup},
	{byPropose, required, "HSET <plan> f v", whyGroup},
	{byPropose, optional, "PUBLISH <group-hints> m", whyHints},
	{byLeave, required, "TIME", whyClock},
	{byLeave, required, "HMGET <plan> f", whyGroup},
	{byLeave, required, "HSET <plan> f v", whyGroup},
	{byLeave, required, "HDEL <plan> f", whyGroup},
	{byLeave, required, "ZREM <members> m", whyGroup},
	{byLeave, optional, "PUBLISH <group-hints> m", whyHints},
	{byWake, optional, "SUBSCRIBE <group-hints>", whyHints},
	{byWake, optional, "SUBSCRIBE <topic-hints>", whyHints},

	{byClaim, required, "TIME", whyClock},
	{byClaim, required, "HMGET <lease> f", whyLease},
	{byClaim, required, "HSET <lease> f v", whyLease},
	{byClaim, required, "PEXPIRE <lease> 1", whyLease},
	{byClaim, required, "PERSIST <lease>", whyKept},
	{byClaim, optional, "XPENDING <stream> g", "restoring the offset of a lost lease from XINFO GROUPS"},
	{byPosition, required, "XINFO STREAM <stream>", whyState},
	{byPosition, notOnRedis, "XREVRANGE <stream> + - COUNT 1", "the last entry, if XINFO STREAM does not return it"},
	{byCommit, required, "TIME", whyClock},
	{byCommit, required, "HMGET <lease> f", whyLease},
	{byCommit, required, "HSET <lease> f v", whyLease},
	{byCommit, required, "PEXPIRE <lease> 1", whyLease},
	{byCommit, required, "PERSIST <lease>", whyKept},
	{byReset, required, "TIME", whyClock},
	{byReset, required, "HMGET <lease> f", whyLease},
	{byReset, required, "HSET <lease> f v", whyLease},
	{byReset, required, "PEXPIRE <lease> 1", whyLease},
	{byReset, required, "PERSIST <lease>", whyKept},
	{byRelease, required, "HMGET <lease> f", whyLease},
	{byRelease, required, "HSET <lease> f v", whyLease},
	{byRelease, required, "PEXPIRE <lease> 1", whyLease},
	{byRelease, required, "PERSIST <lease>", whyKept},
	{byRelease, optional, "PUBLISH <group-hints> m", whyHints},
	{byReset, required, "UNLINK <failing>", whyFailing},
	{bySurvive, required, "HMGET <lease> f", whyLease},
	{bySurvive, required, "HSET <lease> f v", whyLease},

	{byAttempts, required, "TIME", whyClock},
	{byAttempts, required, "HGET <failing> f", whyFailing},
	{byAttempts, required, "HLEN <failing>", whyFailing},
	{byAttempts, required, "HSET <failing> f v", whyFailing},
	{byNote, required, "HMGET <lease> f", whyLease},
	{byNote, required, "HDEL <failing> f", whyFailing},
	{byNote, required, "HKEYS <failing>", whyFailing},
	{byNote, required, "HLEN <failing>", whyFailing},
	{byNote, required, "PEXPIRE <failing> 1", whyFailing},
	{byNote, required, "PERSIST <failing>", whyKept},
	{byFailing, required, "TIME", whyClock},
	{byFailing, required, "HGETALL <failing>", whyFailing},
	{byMirror, optional, "XINFO CONSUMERS <stream> g", whyMirror},
	{byMirror, optional, "XINFO GROUPS <stream>", whyMirror},
	{byMirror, optional, "XGROUP CREATE <stream> g $", whyMirror},
	{byMirror, optional, "XGROUP CREATECONSUMER <stream> g c", whyMirror},
	{byMirror, optional, "XGROUP SETID <stream> g $", whyMirror},
	{byMirror, optional, "XGROUP DESTROY <stream> g", whyMirror},
	{byAdoptable, optional, "XINFO CONSUMERS <stream> g", whyAdopt},
	{byAdoptable, optional, "XINFO GROUPS <stream>", whyAdopt},
	{byAdoptPending, required, "HGET <lease> f", whyAdopt},
	{byAdoptPending, optional, "XPENDING <stream> g", whyAdopt},
	{byAdoptPending, optional, "XRANGE <stream> - +", whyAdopt},
	{byAdoptSettle, required, "HMGET <lease> f", whyAdopt},
	{byAdoptSettle, required, "HSET <lease> f v", whyAdopt},
	{byAdoptSettle, optional, "HDEL <lease> f", whyAdopt},
	{byAdoptSettle, required, "PEXPIRE <lease> 1", whyAdopt},
	{byAdoptSettle, required, "PERSIST <lease>", whyKept},
	{byAdoptSettle, optional, "XACK <stream> g 1", whyAdopt},
	{byAdoptSettle, optional, "XPENDING <stream> g", whyAdopt},
	{byAdoptSettle, optional, "XINFO CONSUMERS <stream> g", whyAdopt},
	{byAdoptSettle, optional, "XGROUP DELCONSUMER <stream> g c", whyAdopt},
	{byAdoptSettle, optional, "XGROUP CREATECONSUMER <stream> g c", whyAdopt},
	{byAdoptSettle, optional, "XGROUP DESTROY <stream> g", whyAdopt},
	{byCountEntries, required, "TIME", whyClock},
	{byCountEntries, required, "XREAD COUNT 1 STREAMS <stream> 0-0", whyState},
	{byFetch, required, "XREAD COUNT 1 STREAMS <stream> 0-0", "reading"},
	{byFetch, required, "XINFO STREAM <stream>", whyState},
	{byState, required, "XINFO STREAM <stream>", whyState},
	{byState, notOnRedis, "XRANGE <stream> - + COUNT 1", "the first entry, if XINFO STREAM does not return it"},
	{byState, notOnRedis, "XREVRANGE <stream> + - COUNT 1", "the last entry, if XINFO STREAM does not return it"},
	{byPeek, required, "XREAD COUNT 1 STREAMS <stream> 0-0", "the size of an entry that does not arrive"},

	{byShareOpen, required, "TIME", whyClock},
	{byShareOpen, required, "HMGET <share> f", whyShare},
	{byShareOpen, required, "HSET <share> f v", whyShare},
	{byShareOpen, required, "PEXPIRE <share> 1", whyShare},
	{byShareOpen, required, "PERSIST <share>", whyKept},
	{byShareOpen, required, "XINFO GROUPS <stream>", whyNative},
	{byShareOpen, required, "XINFO STREAM <stream>", whyState},
	{byShareOpen, required, "XREVRANGE <stream> + - COUNT 1", "continuing a group that was lost"},
	{byShareOpen, required, "XGROUP CREATE <stream> g $", whyNative},
	{byShareOpen, optional, "XGROUP DELCONSUMER <stream> g c", whyNative},
	{byShare, required, "XPENDING <stream> g", whyPending},
	{byShareRead, required, "HGET <share> f", whyShare},
	{byShareRead, required, "XREADGROUP GROUP g c COUNT 1 STREAMS <stream> >", "reading"},
	{byShareAck, required, "TIME", whyClock},
	{byShareAck, required, "HMGET <share> f", whyShare},
	{byShareAck, required, "HSET <share> f v", whyShare},
	{byShareAck, required, "PEXPIRE <share> 1", whyShare},
	{byShareAck, required, "PERSIST <share>", whyKept},
	{byShareAck, required, "XACK <stream> g 0-1", whyPending},
	{bySharePending, required, "HGET <share> f", whyShare},
	{bySharePending, required, "XPENDING <stream> g - + 1 c", whyPending},
	{byShareHolders, required, "XINFO CONSUMERS <stream> g", whyTake},
	{byShareLag, required, "XINFO STREAM <stream>", whyState},
	{byShareDelete, optional, "TIME", whyClock},
	{byShareDelete, optional, "XINFO GROUPS <stream>", whyDeleted},
	{byShareDelete, optional, "XINFO CONSUMERS <stream> g", whyDeleted},
	{byShareDelete, optional, "XDEL <stream> 0-1", whyDeleted},
	{byShareTake, required, "HGET <share> f", whyShare},
	{byShareTake, required, "XPENDING <stream> g - + 1 c", whyPending},
	{byTakeOver, required, "XCLAIM <stream> g c 0 0-1 JUSTID", whyTake},
	{byShareTake, required, "XGROUP DELCONSUMER <stream> g c", whyTake},
	{byShareAdopt, required, "HGET <share> f", whyShare},
	{byShareAdopt, required, "XINFO CONSUMERS <stream> g", whyIdle},
	{byShareAdopt, required, "XPENDING <stream> g - + 1 c", whyIdle},
	{byTakeOver, required, "XCLAIM <stream> g c 0 0-1 JUSTID", whyIdle},
	{byShareLoad, required, "XRANGE <stream> 0-1 0-1", whyTake},
	{byShareNote, required, "HGET <share> f", whyShare},
	{byShareNote, required, "XPENDING <stream> g - + 1 c", whyPending},
	{byShareNote, required, "HDEL <failing> f", whyFailing},
	{byShareNote, required, "HGET <failing> f", whyFailing},
	{byShareNote, required, "HKEYS <failing>", whyFailing},
	{byShareNote, required, "HLEN <failing>", whyFailing},
	{byShareNote, required, "HSET <failing> f v", whyFailing},
	{byShareNote, required, "UNLINK <failing>", whyFailing},
	{byShareNote, required, "PEXPIRE <failing> 1", whyFailing},
	{byShareNote, required, "PERSIST <failing>", whyKept},
	{byShareFailing, required, "TIME", whyClock},
	{byShareFailing, required, "HMGET <failing> f", whyFailing},

	{byAppend, required, "TIME", whyClock},
	{byAppend, required, "XADD <stream> * f v", "writing"},
	{byAppend, required, "GET <producer>", whyProducer},
	{byAppend, required, "SET <producer> v PX 1", whyProducer},
	{byAppend, required, "EXISTS <metadata>", "detecting that a plain topic has got partitions"},
	{byAppend, optional, "XTRIM <stream> MAXLEN 1", "removing old entries by `max_length` and `max_age`"},
	{
		byAppend,
		optional,
		"XLEN <stream>",
		"`max_length` if stream nodes have no limit; detecting at the start that a stream has no IDs left",
	},
	{byIDs, required, "TIME", whyClock},
	{byIDs, required, "EXISTS <stream>", whyIDs},
	{byIDs, required, "ZADD <ids> 1 m", whyIDs},
	{byIDs, optional, "ZCARD <ids>", whyOldIDs},
	{byIDs, required, "ZCOUNT <ids> 0 1", whyIDs},
	{byIDs, required, "ZRANGE <ids> 0 -1", whyIDs},
	{byIDs, optional, "ZREMRANGEBYRANK <ids> 0 1", whyOldIDs},
	{byIDs, required, "ZSCORE <ids> m", whyIDs},
	{byIDs, optional, "PEXPIRE <ids> 1", whyOldIDs},
	{byIDs, optional, "PERSIST <ids>", whyOldIDs},
	{byIDs, required, "UNLINK <ids>", whyIDs},

	{byCreateTopic, required, "TIME", whyClock},
	{byCreateTopic, required, "HGET <metadata> f", whyCreate},
	{byCreateTopic, required, "HSET <metadata> f v", whyCreate},
	{byCreateTopic, required, "TYPE <plain>", whyCreate},
	{byCreateTopic, optional, "PUBLISH <topic-hints> m", whyHints},
}
