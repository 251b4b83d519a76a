package access

import (
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
)

// right is one command that rafka sends, by itself or in a script.
type right struct {
	// by is the script that holds the command, or what sends it.
	by   string
	need need
	// form is the command with as many arguments as ACLs look at; <kind> stands for a key or a
	// channel, see Kind.
	form string
	// why says what the command is for, in the table of docs/reference/permissions.md and in
	// warnings.
	why string
}

// need says what happens without a right.
type need int

const (
	// required: nothing works, and the checks say so.
	required need = iota
	// optional: something is missed that rafka can do without.
	optional
	// onCluster: required on a cluster, and of no use elsewhere.
	onCluster
	// optionalOnCluster: optional on a cluster, and of no use elsewhere.
	optionalOnCluster
	// elsewhere: sent to servers only that know less than Redis and Valkey. It is not granted.
	elsewhere
)

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
	byCountEntries    = "count_entries"
	byState           = "state"
	byPeek            = "peek"
	byAppend          = "append"
	byCreateTopic     = "create_topic"
	byGrowTopic       = "grow_topic"
	bySeek            = "seek"
	byDeleteGroup     = "delete_group"
	byDeleteLease     = "delete_lease"
	byDeletePartition = "delete_partition"
)

// The senders of commands that are no scripts.
const (
	byConnection    = "connection"
	byCheck         = "check"
	byDescribe      = "describe"
	byWake          = "wake"
	byFetch         = "fetch"
	byMirror        = "mirror"   // a part of claim, commit and reset
	byPosition      = "position" // a part of claim and seek
	byAnyScript     = "scripts"
	byTopicList     = "topic list"
	byTopicDescribe = "topic describe"
	byGroupList     = "group list"
	byGroupDescribe = "group describe"
	byTopicDelete   = "topic delete"
	byGroupChange   = "group seek and delete"
)

const (
	whyClock    = "the one clock of leases, members and ages"
	whyCount    = "number of partitions"
	whyState    = "where a partition starts and ends, lag and loss"
	whyGroup    = "members and plan of the group"
	whyLease    = "leases and committed offsets"
	whyProducer = "no entry is written twice"
	whyHints    = "other members act at once instead of at their next heartbeat"
	whyMirror   = "XINFO GROUPS shows the group's position"
	whyKept     = "groups and leases are not evicted by servers with a volatile- policy"
	whyGrow     = "growing a topic"
	whySeek     = "moving a group"
	whyDelete   = "deleting topics and groups"
	whyTold     = "members see that a topic was deleted on purpose"
	whyCreate   = "creating the topic, and again after its metadata was lost"
)

// rights is the one list of all that rafka asks a server for. The checks, the ACLs that `rafka acl`
// prints and the tables in docs/reference/permissions.md are made of it; AUTH and HELLO are
// missing, since a server denies them to nobody.
var rights = []right{
	{byConnection, optional, "CLIENT SETNAME n", "the connections have a name in CLIENT LIST"},
	{byConnection, optional, "INFO memory", "an eviction policy that loses data is warned of"},
	{byConnection, optional, "PING", "a connection that died without a word is noticed"},
	{byConnection, onCluster, "CLUSTER SLOTS", "finding the nodes of a cluster"},
	{byConnection, onCluster, "ASKING", "following a slot while it moves to another node"},
	{byConnection, optionalOnCluster, "COMMAND", "a cluster's client does not ask for it with every request"},
	{byAnyScript, required, "EVALSHA s 1 <every>", "the scripts"},
	{byAnyScript, required, "EVAL s 1 <every>", "scripts that the server does not know yet"},
	{byCheck, optional, "TYPE <every>", "a key of another type is named before anything is read or written"},
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
	{byHeartbeat, required, "HGET <metadata> f", whyCount},
	{byHeartbeat, required, "EXISTS <plain>", "where a group of a plain topic starts"},
	{byHeartbeat, optional, "PUBLISH <group-hints> m", whyHints},
	{byPropose, required, "HMGET <plan> f", whyGroup},
	{byPropose, required, "HSET <plan> f v", whyGroup},
	{byPropose, optional, "PUBLISH <group-hints> m", whyHints},
	{byLeave, required, "TIME", whyClock},
	{byLeave, required, "HGET <plan> f", whyGroup},
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
	{byPosition, required, "XINFO STREAM <stream>", whyState},
	{byPosition, elsewhere, "XREVRANGE <stream> + - COUNT 1", "the last entry, where XINFO STREAM does not tell"},
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
	{byMirror, optional, "XINFO CONSUMERS <stream> g", whyMirror},
	{byMirror, optional, "XINFO GROUPS <stream>", whyMirror},
	{byMirror, optional, "XGROUP CREATE <stream> g $", whyMirror},
	{byMirror, optional, "XGROUP CREATECONSUMER <stream> g c", whyMirror},
	{byMirror, optional, "XGROUP SETID <stream> g $", whyMirror},
	{byMirror, optional, "XGROUP DESTROY <stream> g", whyMirror},
	{byCountEntries, required, "TIME", whyClock},
	{byCountEntries, required, "XREAD COUNT 1 STREAMS <stream> 0-0", whyState},
	{byFetch, required, "XREAD COUNT 1 STREAMS <stream> 0-0", "reading"},
	{byFetch, required, "XINFO STREAM <stream>", whyState},
	{byState, required, "XINFO STREAM <stream>", whyState},
	{byState, elsewhere, "XRANGE <stream> - + COUNT 1", "the first entry, where XINFO STREAM does not tell"},
	{byState, elsewhere, "XREVRANGE <stream> + - COUNT 1", "the last entry, where XINFO STREAM does not tell"},
	{byPeek, required, "XREAD COUNT 1 STREAMS <stream> 0-0", "the size of an entry that does not arrive"},

	{byAppend, required, "TIME", whyClock},
	{byAppend, required, "XADD <stream> * f v", "writing"},
	{byAppend, required, "GET <producer>", whyProducer},
	{byAppend, required, "SET <producer> v PX 1", whyProducer},
	{byAppend, required, "EXISTS <metadata>", "a plain topic that was given partitions is recognised"},
	{byAppend, optional, "XTRIM <stream> MAXLEN 1", "`max_length` and `max_age` remove old entries"},
	{
		byAppend,
		optional,
		"XLEN <stream>",
		"`max_length` where stream nodes have no limit; a stream without IDs left is found at start",
	},

	{byCreateTopic, required, "TIME", whyClock},
	{byCreateTopic, required, "HGET <metadata> f", whyCreate},
	{byCreateTopic, required, "HSET <metadata> f v", whyCreate},
	{byCreateTopic, required, "TYPE <plain>", whyCreate},
	{byCreateTopic, optional, "PUBLISH <topic-hints> m", whyHints},

	{byGrowTopic, required, "HGET <metadata> f", whyGrow},
	{byGrowTopic, required, "HSET <metadata> f v", whyGrow},
	{byGrowTopic, required, "TYPE <plain>", whyGrow},
	{byGrowTopic, optional, "PUBLISH <topic-hints> m", whyHints},
	{bySeek, required, "TIME", whyClock},
	{bySeek, required, "HMGET <lease> f", whySeek},
	{bySeek, required, "HSET <lease> f v", whySeek},
	{bySeek, required, "PEXPIRE <lease> 1", whySeek},
	{bySeek, required, "PERSIST <lease>", whyKept},
	{bySeek, optional, "PUBLISH <group-hints> m", whyHints},
	{byDeleteGroup, required, "TIME", whyClock},
	{byDeleteGroup, required, "ZRANGEBYSCORE <members> 0 1", whyGroup},
	{byDeleteGroup, required, "EXISTS <plan>", whyDelete},
	{byDeleteGroup, required, "UNLINK <members>", whyDelete},
	{byDeleteGroup, required, "UNLINK <plan>", whyDelete},
	{byDeleteLease, required, "TIME", whyClock},
	{byDeleteLease, required, "HMGET <lease> f", whyDelete},
	{byDeleteLease, required, "EXISTS <lease>", whyDelete},
	{byDeleteLease, required, "UNLINK <lease>", whyDelete},
	{byDeleteLease, required, "XGROUP DESTROY <stream> g", whyDelete},
	{byDeletePartition, required, "TIME", whyClock},
	{byDeletePartition, required, "HMGET <lease> f", whyDelete},
	{byDeletePartition, required, "HSET <lease> f v", whyTold},
	{byDeletePartition, required, "PEXPIRE <lease> 1", whyTold},
	{byDeletePartition, required, "UNLINK <stream>", whyDelete},
	{byDeletePartition, required, "UNLINK <lease>", whyDelete},
	{byDeletePartition, required, "UNLINK <producer>", whyDelete},

	{byTopicDelete, required, "SCAN 0", "finding topics and groups"},
	{byTopicDelete, required, "TIME", "which members are alive, and how old entries are"},
	{byTopicDelete, required, "HGETALL <metadata>", whyCount},
	{byTopicDelete, required, "EXISTS <plain>", whyDelete},
	{byTopicDelete, required, "HMGET <plan> f", whyGroup},
	{byTopicDelete, required, "ZRANGEBYSCORE <members> 0 1", whyGroup},
	{byTopicDelete, required, "XINFO STREAM <stream>", "what a partition holds"},
	{byTopicDelete, optional, "MEMORY USAGE <stream>", "how much memory is freed"},
	{byTopicDelete, required, "UNLINK <metadata>", whyDelete},
	{byTopicDelete, required, "UNLINK <plan>", whyDelete},
	{byTopicDelete, required, "UNLINK <members>", whyDelete},
	{byTopicDelete, required, "HMGET <lease> f", whyLease},
	{byGroupChange, required, "TIME", "which members are alive, and how old entries are"},
	{byGroupChange, required, "HGETALL <metadata>", whyCount},
	{byGroupChange, required, "HMGET <plan> f", whyGroup},
	{byGroupChange, required, "EXISTS <plain>", "a topic that does not exist is recognised"},
	{byGroupChange, required, "XINFO STREAM <stream>", "what a partition holds"},
	{byTopicList, required, "SCAN 0", "finding topics and groups"},
	{byTopicList, required, "HGETALL <metadata>", whyCount},
	{byTopicDescribe, required, "HGETALL <metadata>", whyCount},
	{byTopicDescribe, required, "XINFO STREAM <stream>", "what a partition holds"},
	{byGroupList, required, "SCAN 0", "finding topics and groups"},
	{byGroupList, required, "TIME", "which members are alive, and how old entries are"},
	{byGroupList, required, "HMGET <plan> f", whyGroup},
	{byGroupList, required, "ZCOUNT <members> 0 1", whyGroup},
	{byGroupDescribe, required, "TIME", "which members are alive, and how old entries are"},
	{byGroupDescribe, required, "HGETALL <metadata>", whyCount},
	{byGroupDescribe, required, "HMGET <plan> f", whyGroup},
	{byGroupDescribe, required, "ZRANGEBYSCORE <members> 0 1", whyGroup},
	{byGroupDescribe, required, "HMGET <lease> f", whyLease},
	{byGroupDescribe, required, "XINFO STREAM <stream>", "what a partition holds"},
	{byGroupDescribe, required, "XRANGE <stream> - +", "the age of the oldest entry that is not acknowledged"},
}

// Role is what a user of a server is for.
type Role string

// The roles.
const (
	// RoleReader runs the input.
	RoleReader Role = "reader"
	// RoleWriter runs the output.
	RoleWriter Role = "writer"
	// RoleAdmin runs the commands `rafka topic` and `rafka group`.
	RoleAdmin Role = "admin"
)

// What the roles do, by the keys that it concerns.
var (
	always  = []string{byConnection, byAnyScript, byCheck}
	onGroup = []string{
		byAnyScript,
		byDescribe,
		byEnroll,
		byHeartbeat,
		byPropose,
		byLeave,
		byWake,
	}
	onSplit = []string{
		byAnyScript,
		byClaim,
		byPosition,
		byCommit,
		byReset,
		byRelease,
		byMirror,
		byFetch,
		byState,
		byPeek,
		byCountEntries,
	}
	onAppend = []string{byAnyScript, byAppend}
	onCreate = []string{byAnyScript, byDescribe, byCreateTopic}

	sendersFor = map[Role][]string{
		RoleReader: slices.Concat(always, onGroup, onSplit),
		RoleWriter: slices.Concat(always, onAppend, onCreate),
		RoleAdmin: {
			byConnection,
			byAnyScript,
			byCreateTopic,
			byGrowTopic,
			byTopicList,
			byTopicDescribe,
			byTopicDelete,
			byGroupList,
			byGroupDescribe,
			byGroupChange,
			bySeek,
			byPosition,
			byMirror,
			byDeleteGroup,
			byDeleteLease,
			byDeletePartition,
		},
	}
	// scriptSenders send their commands from within a script.
	scriptSenders = []string{
		byEnroll,
		byHeartbeat,
		byPropose,
		byLeave,
		byClaim,
		byCommit,
		byReset,
		byRelease,
		byCountEntries,
		byMirror,
		byPosition,
		byAppend,
		byCreateTopic,
		byGrowTopic,
		bySeek,
		byDeleteGroup,
		byDeleteLease,
		byDeletePartition,
		byState,
		byPeek,
	}
)

// rightsOf returns the rights of some senders, in the order of the list.
func rightsOf(senders ...string) []right {
	var of []right
	for _, r := range rights {
		if slices.Contains(senders, r.by) {
			of = append(of, r)
		}
	}
	return of
}

// of returns the rights of a list that are needed so.
func (n need) of(list []right) []right {
	return slices.DeleteFunc(slices.Clone(list), func(r right) bool { return r.need != n })
}

// requiredOf returns what the senders can't do without on the client's servers.
func requiredOf(client redis.UniversalClient, senders ...string) []right {
	of := required.of(rightsOf(senders...))
	if _, cluster := client.(*redis.ClusterClient); cluster {
		of = append(of, onCluster.of(rightsOf(byConnection))...)
	}
	return of
}

// optionalOf returns what the senders can do without there.
func optionalOf(client redis.UniversalClient, senders ...string) []right {
	of := optional.of(rightsOf(senders...))
	if _, cluster := client.(*redis.ClusterClient); cluster {
		of = append(of, optionalOnCluster.of(rightsOf(senders...))...)
	}
	return of
}

// containers are the commands whose subcommands have rights of their own.
var containers = []string{"CLIENT", "CLUSTER", "MEMORY", "XGROUP", "XINFO"}

// name is the command as ACL SETUSER takes it, such as xinfo|stream.
func (r right) name() string {
	words := strings.Fields(r.form)
	name := words[0]
	if slices.Contains(containers, name) {
		name += "|" + words[1]
	}
	return strings.ToLower(name)
}

// title is the command as people write it, such as XINFO STREAM.
func (r right) title() string { return strings.ToUpper(strings.ReplaceAll(r.name(), "|", " ")) }

// kind is the kind of the key or channel that the command is for; "" if it is for none.
func (r right) kind() keys.Kind {
	for word := range strings.FieldsSeq(r.form) {
		if kind, ok := placeholder(word); ok {
			return kind
		}
	}
	return ""
}

func placeholder(word string) (keys.Kind, bool) {
	kind, ok := strings.CutPrefix(word, "<")
	return keys.Kind(strings.TrimSuffix(kind, ">")), ok
}
