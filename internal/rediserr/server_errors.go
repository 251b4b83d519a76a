package rediserr

import (
	"strings"

	"github.com/redis/go-redis/v9"
)

// serverError describes one kind of error reply. A reply is of this kind if its text begins with
// prefix, after an optional "ERR ".
type serverError struct {
	prefix string
	class  Class
	remedy string
}

const (
	remedyAuth    = "check `username` and `password`"
	remedyReplica = "the server is a read-only replica: point `url` to the master, " +
		"or set `kind` to failover or cluster so that it is found"
	remedyCluster = "the server is a node of a cluster: set `kind` to cluster; if it is, slots are on the " +
		"move, and it passes when that is done"
	remedyUnknown = "the server is too old or has this command renamed or disabled: rafka needs Redis 7.0 or " +
		"Valkey 7.2, or newer"
	remedyDatabase = "the server has fewer databases, by its setting of that name: correct the database number in `url`"
)

// deniedInScript is the beginning of the error for a missing permission inside a script in Valkey
// and in Redis 7.2 and later.
const deniedInScript = "ACL failure in script"

// idsUsedUp is the beginning of the error of a stream whose last ID is the highest possible ID.
const idsUsedUp = "The stream has exhausted the last possible ID"

// serverErrors is searched in order. An error inside a script begins like the same error outside a
// script, except errors about missing permissions and unknown commands.
var serverErrors = []serverError{
	{
		"WRONGTYPE",
		ClassWrongType,
		"the key holds another type: rename or delete that key, or choose another `stream_name`",
	},
	{"NOPERM", ClassPermission, ""},
	{"The user executing the script can't", ClassPermission, ""},
	{deniedInScript, ClassPermission, ""},
	{
		"NOAUTH",
		ClassAuth,
		"the server asks for a password: set `password`, and `username` unless it is the default user",
	},
	{"WRONGPASS", ClassAuth, remedyAuth},
	{"invalid password", ClassAuth, remedyAuth},
	{
		"AUTH <password> called without any password",
		ClassAuth,
		"the server has no password: remove `password`, or check `username`",
	},
	{"AUTH failed", ClassAuth, remedyAuth},
	{"DENIED", ClassAuth, "the server is in protected mode: set a password on it or let it bind the right address"},
	{"OOM", ClassTransient, "the server has reached its maxmemory: raise it, or delete or trim data"},
	{"READONLY", ClassTransient, remedyReplica},
	{
		"MISCONF",
		ClassTransient,
		"the server cannot save its data to disk and refuses writes: see its log and free or mend the disk",
	},
	{
		"NOREPLICAS",
		ClassTransient,
		"the server has fewer replicas than min-replicas-to-write asks for: see its replicas",
	},
	{"LOADING", ClassTransient, "the server is loading its data: it passes when that is done"},
	{
		"CLUSTERDOWN",
		ClassTransient,
		"the cluster does not serve all slots: see CLUSTER INFO; it passes when a failover succeeds",
	},
	{"MASTERDOWN", ClassTransient, "the server is a replica that lost its master: " + remedyReplica},
	{"TRYAGAIN", ClassTransient, "slots of the cluster are on the move: it passes when that is done"},
	{"MOVED", ClassTransient, remedyCluster},
	{"ASK ", ClassTransient, remedyCluster},
	{"REDIRECT", ClassTransient, remedyReplica},
	{"BUSY", ClassTransient, "a script of another client occupies the server: see SLOWLOG, and SCRIPT KILL ends it"},
	{"INPROG", ClassTransient, "a failover is in progress: it passes when that is done"},
	{"UNBLOCKED", ClassTransient, ""},
	{"NOSCRIPT", ClassTransient, "the server forgot a script between two requests: it passes with the next one"},
	{"max number of clients", ClassTransient, "raise the server's maxclients, or lower `pool` sizes"},
	{"CROSSSLOT", ClassFinal, "the keys of one request lie in different slots of the cluster: set `kind` to cluster"},
	{
		"This instance has cluster support disabled",
		ClassFinal,
		"the server is no node of a cluster: set `kind` to simple",
	},
	{
		"unknown command 'cluster'",
		ClassFinal,
		"the server is no node of a cluster: set `kind` to what it is, simple or failover",
	},
	{"DB index is out of range", ClassFinal, remedyDatabase},
	{"invalid DB index", ClassFinal, remedyDatabase},
	{
		"SELECT is not allowed in cluster mode",
		ClassFinal,
		"a cluster has database 0 alone: remove the database number from `url`, " +
			"and set `kind` to cluster",
	},
	{"unknown command", ClassFinal, remedyUnknown},
	{"unknown subcommand", ClassFinal, remedyUnknown},
	{"Unknown Redis command called from script", ClassFinal, remedyUnknown},
	{"Unknown command called from script", ClassFinal, remedyUnknown}, // Valkey
	{
		idsUsedUp,
		ClassFinal,
		"an entry was given the highest ID that there is, by a program that chooses IDs itself, and nothing can " +
			"be written behind it: read the stream to its end and delete it, or use another `stream_name`",
	},
	{"EXECABORT", ClassFinal, ""},
}

func diagnoseServerError(err error) (Class, string) {
	for _, r := range serverErrors {
		if redis.HasErrorPrefix(err, r.prefix) {
			if r.class == ClassPermission {
				return r.class, permissionRemedy(err.Error())
			}
			return r.class, r.remedy
		}
	}
	if text := err.Error(); strings.Contains(text, "unauthenticated") {
		return ClassAuth, remedyAuth
	} else if inner, wrapped := insideScript(text); wrapped {
		return diagnoseServerError(inner)
	}
	return ClassFinal, ""
}

// insideScript finds the error of a command in the error of the script that the command ended.
// Redis 7.0 and later do not wrap the command's error. The embedded server wraps it ("ERR Error
// compiling script (new function): :1: WRONGTYPE ..."), and so do some other servers that implement
// the protocol ("ERR Error running script (call to f_<sha>): @user_script:1: WRONGTYPE ...").
func insideScript(text string) (redis.Error, bool) {
	if !strings.Contains(text, "Error running script") && !strings.Contains(text, "Error compiling script") {
		return nil, false
	}
	for i := range text {
		if i == 0 || text[i-1] != ' ' {
			continue
		}
		for _, r := range serverErrors {
			if strings.HasPrefix(text[i:], r.prefix) {
				return Error(text[i:]), true
			}
		}
	}
	return nil, false
}

// Error is an error reply of a server that was part of another reply or error.
type Error string

func (t Error) Error() string { return string(t) }

// RedisError marks the type as an error reply of the server.
func (Error) RedisError() {}

// Exhausted reports whether a stream rejected an entry because the stream has no IDs left.
func Exhausted(err error) bool { return redis.HasErrorPrefix(err, idsUsedUp) }

// SlotMoves reports whether a cluster rejected a request because the keys belong to a slot that is
// moving, and not all keys are on one node.
func SlotMoves(err error) bool { return redis.HasErrorPrefix(err, "TRYAGAIN") }

// UnknownCommand reports whether the server does not know a command. For example, a server that is
// not a Sentinel does not know the Sentinel commands.
func UnknownCommand(err error) bool {
	return !withoutMaster(err) && redis.HasErrorPrefix(err, "unknown command")
}
