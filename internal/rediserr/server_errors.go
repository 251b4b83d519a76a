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
	remedyMaster  = "point `url` to the master, or set `kind` to failover or cluster so that rafka finds the master"
	remedyReplica = "the server is a read-only replica: " + remedyMaster
	remedyCluster = "the server is a node of a cluster: set `kind` to cluster; if it is cluster, slots are moving: " +
		"wait until the move has finished"
	remedyUnknown = "the server is too old, or this command is renamed or disabled: rafka needs Redis 7.0 or " +
		"Valkey 7.2, or newer, with this command enabled"
	remedyDatabase = "the server has fewer databases (see its setting databases): correct the database number in `url`"
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
		"the key holds a value of another type: rename or delete that key, or choose another `stream_name`",
	},
	{"NOPERM", ClassPermission, ""},
	{"The user executing the script can't", ClassPermission, ""},
	{deniedInScript, ClassPermission, ""},
	{
		"NOAUTH",
		ClassAuth,
		"the server requires a password: set `password`, and also `username` unless the user is the default user",
	},
	{"WRONGPASS", ClassAuth, remedyAuth},
	{"invalid password", ClassAuth, remedyAuth},
	{
		"AUTH <password> called without any password",
		ClassAuth,
		"the server has no password: remove `password`, or check `username`",
	},
	{"AUTH failed", ClassAuth, remedyAuth},
	{
		protectedMode,
		ClassAuth,
		"the server is in protected mode: set a password on the server, or bind it to the right address",
	},
	{"OOM", ClassTransient, "the server has reached its maxmemory: raise maxmemory, or delete or trim data"},
	{"READONLY", ClassTransient, remedyReplica},
	{
		"MISCONF",
		ClassTransient,
		"the server cannot save its data to disk and rejects writes: see its log, and free disk space or repair " +
			"the disk",
	},
	{
		"NOREPLICAS",
		ClassTransient,
		"the server has fewer connected replicas than its min-replicas-to-write requires: check its replicas",
	},
	{"LOADING", ClassTransient, "the server is loading its data: wait until it has finished"},
	{
		"CLUSTERDOWN",
		ClassTransient,
		"the cluster does not serve all slots: wait until a failover has finished, or see CLUSTER INFO for the cause",
	},
	{"MASTERDOWN", ClassTransient, "the server is a replica that has lost its master: " + remedyMaster},
	{"TRYAGAIN", ClassTransient, "slots of the cluster are moving: wait until the move has finished"},
	{"MOVED", ClassTransient, remedyCluster},
	{"ASK ", ClassTransient, remedyCluster},
	{"REDIRECT", ClassTransient, remedyReplica},
	{
		"BUSY",
		ClassTransient,
		"a script of another client occupies the server: end the script with SCRIPT KILL; SLOWLOG lists slow scripts",
	},
	{"INPROG", ClassTransient, "a failover is in progress: wait until it has finished"},
	{"UNBLOCKED", ClassTransient, ""},
	{
		"NOSCRIPT",
		ClassTransient,
		"the server lost a script between two requests: no action is needed, because the next request sends it again",
	},
	{tooManyClients, ClassTransient, "raise the server's maxclients, or lower `pool.size`"},
	{"CROSSSLOT", ClassFinal, "the keys of one request are in different slots of the cluster: set `kind` to cluster"},
	{
		"This instance has cluster support disabled",
		ClassFinal,
		"the server is not a node of a cluster: set `kind` to simple",
	},
	{
		"unknown command 'cluster'",
		ClassFinal,
		"the server is not a node of a cluster: set `kind` to simple, or to failover if `url` lists Sentinels",
	},
	{"DB index is out of range", ClassFinal, remedyDatabase},
	{"invalid DB index", ClassFinal, remedyDatabase},
	{
		"SELECT is not allowed in cluster mode",
		ClassFinal,
		"a cluster has only database 0: remove the database number from `url`, " +
			"and set `kind` to cluster",
	},
	{"unknown command", ClassFinal, remedyUnknown},
	{"unknown subcommand", ClassFinal, remedyUnknown},
	{"Unknown Redis command called from script", ClassFinal, remedyUnknown},
	{"Unknown command called from script", ClassFinal, remedyUnknown}, // Valkey
	{
		idsUsedUp,
		ClassFinal,
		"a program that chooses IDs has added an entry with the highest possible ID, so the stream accepts no " +
			"further entries: read the stream to its end and delete it, or use another `stream_name`",
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
