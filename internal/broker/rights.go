package broker

import (
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// right is one command that rafka sends, by itself or in a script.
type right struct {
	// by is the script that holds the command, or what sends it.
	by   string
	need need
	// form is the command with as many arguments as ACLs look at; <kind> stands for a key or a
	// channel, see keyKind.
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

	{enrollScript.name, required, "TIME", whyClock},
	{enrollScript.name, required, "HGET <plan> f", whyGroup},
	{heartbeatScript.name, required, "TIME", whyClock},
	{heartbeatScript.name, required, "HMGET <plan> f", whyGroup},
	{heartbeatScript.name, required, "HSET <plan> f v", whyGroup},
	{heartbeatScript.name, required, "HDEL <plan> f", whyGroup},
	{heartbeatScript.name, required, "PEXPIRE <plan> 1", whyGroup},
	{heartbeatScript.name, required, "PEXPIRE <members> 1", whyGroup},
	{heartbeatScript.name, required, "PERSIST <plan>", whyKept},
	{heartbeatScript.name, required, "PERSIST <members>", whyKept},
	{heartbeatScript.name, required, "ZADD <members> 1 m", whyGroup},
	{heartbeatScript.name, required, "ZCARD <members>", whyGroup},
	{heartbeatScript.name, required, "ZSCORE <members> m", whyGroup},
	{heartbeatScript.name, required, "ZRANGE <members> 0 -1", whyGroup},
	{heartbeatScript.name, required, "ZRANGEBYSCORE <members> 0 1", whyGroup},
	{heartbeatScript.name, required, "ZREMRANGEBYSCORE <members> 0 1", whyGroup},
	{heartbeatScript.name, required, "HGET <metadata> f", whyCount},
	{heartbeatScript.name, required, "EXISTS <plain>", "where a group of a plain topic starts"},
	{heartbeatScript.name, optional, "PUBLISH <group-hints> m", whyHints},
	{proposeScript.name, required, "HMGET <plan> f", whyGroup},
	{proposeScript.name, required, "HSET <plan> f v", whyGroup},
	{proposeScript.name, optional, "PUBLISH <group-hints> m", whyHints},
	{leaveScript.name, required, "TIME", whyClock},
	{leaveScript.name, required, "HGET <plan> f", whyGroup},
	{leaveScript.name, required, "HSET <plan> f v", whyGroup},
	{leaveScript.name, required, "HDEL <plan> f", whyGroup},
	{leaveScript.name, required, "ZREM <members> m", whyGroup},
	{leaveScript.name, optional, "PUBLISH <group-hints> m", whyHints},
	{byWake, optional, "SUBSCRIBE <group-hints>", whyHints},
	{byWake, optional, "SUBSCRIBE <topic-hints>", whyHints},

	{claimScript.name, required, "TIME", whyClock},
	{claimScript.name, required, "HMGET <lease> f", whyLease},
	{claimScript.name, required, "HSET <lease> f v", whyLease},
	{claimScript.name, required, "PEXPIRE <lease> 1", whyLease},
	{claimScript.name, required, "PERSIST <lease>", whyKept},
	{byPosition, required, "XINFO STREAM <stream>", whyState},
	{byPosition, elsewhere, "XREVRANGE <stream> + - COUNT 1", "the last entry, where XINFO STREAM does not tell"},
	{commitScript.name, required, "TIME", whyClock},
	{commitScript.name, required, "HMGET <lease> f", whyLease},
	{commitScript.name, required, "HSET <lease> f v", whyLease},
	{commitScript.name, required, "PEXPIRE <lease> 1", whyLease},
	{commitScript.name, required, "PERSIST <lease>", whyKept},
	{resetScript.name, required, "TIME", whyClock},
	{resetScript.name, required, "HMGET <lease> f", whyLease},
	{resetScript.name, required, "HSET <lease> f v", whyLease},
	{resetScript.name, required, "PEXPIRE <lease> 1", whyLease},
	{resetScript.name, required, "PERSIST <lease>", whyKept},
	{releaseScript.name, required, "HMGET <lease> f", whyLease},
	{releaseScript.name, required, "HSET <lease> f v", whyLease},
	{releaseScript.name, required, "PEXPIRE <lease> 1", whyLease},
	{releaseScript.name, required, "PERSIST <lease>", whyKept},
	{releaseScript.name, optional, "PUBLISH <group-hints> m", whyHints},
	{byMirror, optional, "XINFO CONSUMERS <stream> g", whyMirror},
	{byMirror, optional, "XINFO GROUPS <stream>", whyMirror},
	{byMirror, optional, "XGROUP CREATE <stream> g $", whyMirror},
	{byMirror, optional, "XGROUP CREATECONSUMER <stream> g c", whyMirror},
	{byMirror, optional, "XGROUP SETID <stream> g $", whyMirror},
	{byMirror, optional, "XGROUP DESTROY <stream> g", whyMirror},
	{countEntriesScript.name, required, "TIME", whyClock},
	{countEntriesScript.name, required, "XREAD COUNT 1 STREAMS <stream> 0-0", whyState},
	{byFetch, required, "XREAD COUNT 1 STREAMS <stream> 0-0", "reading"},
	{byFetch, required, "XINFO STREAM <stream>", whyState},
	{stateScript.name, required, "XINFO STREAM <stream>", whyState},
	{stateScript.name, elsewhere, "XRANGE <stream> - + COUNT 1", "the first entry, where XINFO STREAM does not tell"},
	{stateScript.name, elsewhere, "XREVRANGE <stream> + - COUNT 1", "the last entry, where XINFO STREAM does not tell"},
	{peekScript.name, required, "XREAD COUNT 1 STREAMS <stream> 0-0", "the size of an entry that does not arrive"},

	{appendScript.name, required, "TIME", whyClock},
	{appendScript.name, required, "XADD <stream> * f v", "writing"},
	{appendScript.name, required, "GET <producer>", whyProducer},
	{appendScript.name, required, "SET <producer> v PX 1", whyProducer},
	{appendScript.name, required, "EXISTS <metadata>", "a plain topic that was given partitions is recognised"},
	{appendScript.name, optional, "XTRIM <stream> MAXLEN 1", "`max_length` and `max_age` remove old entries"},
	{
		appendScript.name,
		optional,
		"XLEN <stream>",
		"`max_length` where stream nodes have no limit; a stream without IDs left is found at start",
	},

	{createTopicScript.name, required, "TIME", whyClock},
	{createTopicScript.name, required, "HGET <metadata> f", whyCreate},
	{createTopicScript.name, required, "HSET <metadata> f v", whyCreate},
	{createTopicScript.name, required, "TYPE <plain>", whyCreate},
	{createTopicScript.name, optional, "PUBLISH <topic-hints> m", whyHints},

	{growTopicScript.name, required, "HGET <metadata> f", whyGrow},
	{growTopicScript.name, required, "HSET <metadata> f v", whyGrow},
	{growTopicScript.name, required, "TYPE <plain>", whyGrow},
	{growTopicScript.name, optional, "PUBLISH <topic-hints> m", whyHints},
	{seekScript.name, required, "TIME", whyClock},
	{seekScript.name, required, "HMGET <lease> f", whySeek},
	{seekScript.name, required, "HSET <lease> f v", whySeek},
	{seekScript.name, required, "PEXPIRE <lease> 1", whySeek},
	{seekScript.name, required, "PERSIST <lease>", whyKept},
	{seekScript.name, optional, "PUBLISH <group-hints> m", whyHints},
	{deleteGroupScript.name, required, "TIME", whyClock},
	{deleteGroupScript.name, required, "ZRANGEBYSCORE <members> 0 1", whyGroup},
	{deleteGroupScript.name, required, "EXISTS <plan>", whyDelete},
	{deleteGroupScript.name, required, "UNLINK <members>", whyDelete},
	{deleteGroupScript.name, required, "UNLINK <plan>", whyDelete},
	{deleteLeaseScript.name, required, "TIME", whyClock},
	{deleteLeaseScript.name, required, "HMGET <lease> f", whyDelete},
	{deleteLeaseScript.name, required, "EXISTS <lease>", whyDelete},
	{deleteLeaseScript.name, required, "UNLINK <lease>", whyDelete},
	{deleteLeaseScript.name, required, "XGROUP DESTROY <stream> g", whyDelete},
	{deletePartitionScript.name, required, "TIME", whyClock},
	{deletePartitionScript.name, required, "HMGET <lease> f", whyDelete},
	{deletePartitionScript.name, required, "HSET <lease> f v", whyTold},
	{deletePartitionScript.name, required, "PEXPIRE <lease> 1", whyTold},
	{deletePartitionScript.name, required, "UNLINK <stream>", whyDelete},
	{deletePartitionScript.name, required, "UNLINK <lease>", whyDelete},
	{deletePartitionScript.name, required, "UNLINK <producer>", whyDelete},

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
		enrollScript.name,
		heartbeatScript.name,
		proposeScript.name,
		leaveScript.name,
		byWake,
	}
	onSplit = []string{
		byAnyScript,
		claimScript.name,
		byPosition,
		commitScript.name,
		resetScript.name,
		releaseScript.name,
		byMirror,
		byFetch,
		stateScript.name,
		peekScript.name,
		countEntriesScript.name,
	}
	onAppend = []string{byAnyScript, appendScript.name}
	onCreate = []string{byAnyScript, byDescribe, createTopicScript.name}

	sendersFor = map[Role][]string{
		RoleReader: slices.Concat(always, onGroup, onSplit),
		RoleWriter: slices.Concat(always, onAppend, onCreate),
		RoleAdmin: {
			byConnection,
			byAnyScript,
			createTopicScript.name,
			growTopicScript.name,
			byTopicList,
			byTopicDescribe,
			byTopicDelete,
			byGroupList,
			byGroupDescribe,
			byGroupChange,
			seekScript.name,
			byPosition,
			byMirror,
			deleteGroupScript.name,
			deleteLeaseScript.name,
			deletePartitionScript.name,
		},
	}
	// scriptSenders send their commands from within a script.
	scriptSenders = []string{
		enrollScript.name,
		heartbeatScript.name,
		proposeScript.name,
		leaveScript.name,
		claimScript.name,
		commitScript.name,
		resetScript.name,
		releaseScript.name,
		countEntriesScript.name,
		byMirror,
		byPosition,
		appendScript.name,
		createTopicScript.name,
		growTopicScript.name,
		seekScript.name,
		deleteGroupScript.name,
		deleteLeaseScript.name,
		deletePartitionScript.name,
		stateScript.name,
		peekScript.name,
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
func (r right) kind() keyKind {
	for word := range strings.FieldsSeq(r.form) {
		if kind, ok := placeholder(word); ok {
			return kind
		}
	}
	return ""
}

func placeholder(word string) (keyKind, bool) {
	kind, ok := strings.CutPrefix(word, "<")
	return keyKind(strings.TrimSuffix(kind, ">")), ok
}
