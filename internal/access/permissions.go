package access

import (
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
)

// permission is one command that rafka sends, alone or in a script.
type permission struct {
	// by is the sender: the name of a script, or another part of rafka.
	by   string
	need need
	// form is the command with the arguments that ACLs look at. <kind> stands for a key or a
	// channel of that [keys.Kind].
	form string
	// why is the purpose of the command, for docs/reference/permissions.md and for warnings.
	why string
}

// need is whether rafka needs a permission, and on which servers.
type need int

const (
	// required: rafka does not work, and the checks report it.
	required need = iota
	// optional: rafka works without a feature.
	optional
	// onCluster: required on a cluster, unused on other servers.
	onCluster
	// optionalOnCluster: optional on a cluster, unused on other servers.
	optionalOnCluster
	// notOnRedis: used only on servers that know fewer commands than Redis and Valkey. `rafka acl`
	// does not print it.
	notOnRedis
)

// Role is the purpose of a user of the server.
type Role string

// The roles.
const (
	// RoleReader runs the input.
	RoleReader Role = "reader"
	// RoleSharer runs the input as a member of a share group.
	RoleSharer Role = "sharer"
	// RoleWriter runs the output.
	RoleWriter Role = "writer"
	// RoleLetters writes the dead letters of an input to a topic.
	RoleLetters Role = "deadletter"
	// RoleAdmin runs the commands `rafka topic`, `rafka group` and `rafka deadletter`.
	RoleAdmin Role = "admin"
)

// Senders, grouped by the keys that they use and by role.
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
		byNote,
		bySurvive,
		byFailing,
		byAttempts,
		byMirror,
		byFetch,
		byState,
		byPeek,
		byCountEntries,
		byAdoptable,
		byAdoptPending,
		byAdoptSettle,
	}
	onAdoption = []string{byAdoptable, byAdoptPending, byAdoptSettle, byAdopt}
	onShare    = []string{
		byAnyScript,
		byShareOpen,
		byShare,
		byShareRead,
		byShareAck,
		bySharePending,
		byShareHolders,
		byShareTake,
		byShareLoad,
		byShareAdopt,
		byShareNote,
		byShareFailing,
		byShareSuspect,
		byShareSurvive,
		bySuspects,
		byAttempts,
		byTakeOver,
		byShareLag,
		byPosition,
		byMirror,
	}
	onAppend = []string{byAnyScript, byAppend}
	onLetter = []string{byAnyScript, byDescribe, byLetter, byIDs}
	onCreate = []string{byAnyScript, byDescribe, byCreateTopic}

	sendersFor = map[Role][]string{
		RoleReader:  slices.Concat(always, onGroup, onSplit),
		RoleSharer:  slices.Concat(always, onGroup, onShare, []string{byShareDelete}),
		RoleWriter:  slices.Concat(always, onAppend, onCreate),
		RoleLetters: slices.Concat(always, onLetter),
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
			bySkip,
			bySkipShare,
			byAdopt,
			byAdoptable,
			byPosition,
			byMirror,
			byDeleteGroup,
			byDeleteLease,
			byDeleteShare,
			byDeletePartition,
			byLetters,
			byLetter,
			byReplay,
			byIDs,
			byMarkLetters,
			byPurgeLetters,
			byShareState,
			byShareLag,
			bySeekShare,
			byConvertGroup,
			byToShare,
			byToConsumer,
		},
	}
	// scriptSenders send their commands from scripts.
	scriptSenders = []string{
		byEnroll,
		byHeartbeat,
		byPropose,
		byLeave,
		byClaim,
		byCommit,
		byReset,
		byRelease,
		byNote,
		bySurvive,
		byFailing,
		byAttempts,
		byCountEntries,
		byMirror,
		byPosition,
		byAppend,
		byIDs,
		byCreateTopic,
		byGrowTopic,
		bySeek,
		bySkip,
		bySkipShare,
		byMarkLetters,
		byPurgeLetters,
		byDeleteGroup,
		byDeleteLease,
		byDeleteShare,
		byShareState,
		bySeekShare,
		byConvertGroup,
		byToShare,
		byToConsumer,
		byDeletePartition,
		byState,
		byPeek,
		byAdoptable,
		byAdoptPending,
		byAdoptSettle,
		byAdopt,
		byShareOpen,
		byShare,
		byShareAck,
		bySharePending,
		byShareHolders,
		byShareTake,
		byShareLoad,
		byShareAdopt,
		byShareNote,
		byShareFailing,
		byShareSuspect,
		byShareSurvive,
		bySuspects,
		byTakeOver,
		byShareLag,
		byShareDelete,
	}
)

// permissionsOf returns the permissions of the senders, in the order of the list.
func permissionsOf(senders ...string) []permission {
	var found []permission
	for _, p := range permissions {
		if slices.Contains(senders, p.by) {
			found = append(found, p)
		}
	}
	return found
}

// of returns the permissions of the list that have this need.
func (n need) of(list []permission) []permission {
	return slices.DeleteFunc(slices.Clone(list), func(p permission) bool { return p.need != n })
}

// requiredOf returns the permissions that the senders require on the client's servers.
func requiredOf(client redis.UniversalClient, senders ...string) []permission {
	found := required.of(permissionsOf(senders...))
	if _, cluster := client.(*redis.ClusterClient); cluster {
		found = append(found, onCluster.of(permissionsOf(byConnection))...)
	}
	return found
}

// optionalOf returns the permissions that are optional for the senders on the client's servers.
func optionalOf(client redis.UniversalClient, senders ...string) []permission {
	found := optional.of(permissionsOf(senders...))
	if _, cluster := client.(*redis.ClusterClient); cluster {
		found = append(found, optionalOnCluster.of(permissionsOf(senders...))...)
	}
	return found
}

// containers are the commands for whose subcommands ACLs have separate rules.
var containers = []string{"CLIENT", "CLUSTER", "MEMORY", "XGROUP", "XINFO"}

// name returns the command as ACL SETUSER takes it, such as xinfo|stream.
func (p permission) name() string {
	words := strings.Fields(p.form)
	name := words[0]
	if slices.Contains(containers, name) {
		name += "|" + words[1]
	}
	return strings.ToLower(name)
}

// title returns the command as documents write it, such as XINFO STREAM.
func (p permission) title() string { return strings.ToUpper(strings.ReplaceAll(p.name(), "|", " ")) }

// kind returns the kind of the key or channel in the command, "" if the command has none.
func (p permission) kind() keys.Kind {
	for word := range strings.FieldsSeq(p.form) {
		if kind, ok := placeholder(word); ok {
			return kind
		}
	}
	return ""
}

// placeholder returns the kind in a word such as <lease>.
func placeholder(word string) (keys.Kind, bool) {
	kind, ok := strings.CutPrefix(word, "<")
	return keys.Kind(strings.TrimSuffix(kind, ">")), ok
}
