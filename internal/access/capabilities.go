package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// requiredCommands are the commands that rafka requires. Optional commands of scripts are not in
// the list. EXPIRETIME stands for two features of Redis 7.0 that can't be checked without a stream:
// streams count the entries ever added, and XGROUP SETID sets that count for a group.
var requiredCommands = []string{
	"EXPIRETIME",
	"EXISTS",
	"GET",
	"HDEL",
	"HGET",
	"HGETALL",
	"HKEYS",
	"HLEN",
	"HMGET",
	"HSET",
	"PERSIST",
	"PEXPIRE",
	"SADD",
	"SET",
	"SISMEMBER",
	"SMEMBERS",
	"TIME",
	"TYPE",
	"XADD",
	"XINFO",
	"XREAD",
	"ZADD",
	"ZCARD",
	"ZRANGE",
	"ZRANGEBYSCORE",
	"ZREM",
	"ZREMRANGEBYSCORE",
	"ZSCORE",
}

// OldServerError is the error for a server that lacks required commands.
type OldServerError struct {
	// Found names the server and its version, as far as the server reports them.
	Found string
	// Missing are the commands that the server does not know.
	Missing []string
}

// Error names the server, the missing commands, and the remedies.
func (e *OldServerError) Error() string {
	return fmt.Sprintf(
		"%s lacks %s: rafka needs Redis 7.0 or Valkey 7.2, or newer, with these commands enabled: upgrade the server, "+
			"or set `url` to another server",
		e.Found,
		strings.Join(e.Missing, ", "),
	)
}

// CheckServer checks that the server knows all required commands. On a cluster it checks every
// master that it can reach, and needs to reach at least one: requests to the other masters fail
// with their own errors. The error is an *OldServerError if commands are missing. Reported versions
// are ignored, because managed services and proxies fake them. A server that does not permit the
// check is assumed to be capable. CheckServer writes nothing.
func CheckServer(ctx context.Context, client redis.UniversalClient) error {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return checkServer(ctx, client)
	}
	var mu sync.Mutex // masters are checked concurrently
	var unavailable error
	capable := false
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		err := checkServer(ctx, master)
		if err != nil {
			err = fmt.Errorf("cluster node %s: %w", master.Options().Addr, err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch rediserr.Classify(err) {
		case rediserr.ClassNone:
			capable = true
		case rediserr.ClassTransient:
			unavailable, err = err, nil
		case rediserr.ClassConnection:
			if old := (*OldServerError)(nil); !errors.As(err, &old) {
				unavailable, err = err, nil
			}
		}
		return err
	})
	if err == nil && !capable {
		err = unavailable
	}
	return err
}

func checkServer(ctx context.Context, client redis.UniversalClient) error {
	value, err := capabilitiesScript.Run(ctx, client, nil, strings.Join(requiredCommands, " "))
	var missing []string
	switch class := rediserr.Classify(err); {
	case class == rediserr.ClassNone:
		missing = script.ReplyOf(value).Words(1)
	case rediserr.UnknownCommand(err):
		missing = unknownOf(ctx, client, "EVAL", "EVALSHA")
	case class == rediserr.ClassConnection, class == rediserr.ClassAuth, class == rediserr.ClassTransient:
		return fmt.Errorf("checking which commands the server knows: %w", rediserr.Explain(err))
	}
	if len(missing) == 0 {
		return nil
	}
	return &OldServerError{Found: nameServer(ctx, client), Missing: missing}
}

// unknownOf returns the commands that the server does not know. It sends them without arguments, so
// that the server executes none of them.
func unknownOf(ctx context.Context, client redis.UniversalClient, commands ...string) (unknown []string) {
	for _, command := range commands {
		if rediserr.UnknownCommand(client.Do(ctx, command).Err()) {
			unknown = append(unknown, command)
		}
	}
	return unknown
}

// nameServer returns the name and version that the server reports.
func nameServer(ctx context.Context, client redis.UniversalClient) string {
	info := client.Info(ctx, "server").Val() // empty if the user may not run INFO
	for _, known := range []struct{ field, name string }{{"valkey_version", "Valkey "}, {"redis_version", "Redis "}} {
		if version, ok := infoField(info, known.field); ok {
			return "the server (" + known.name + version + ")"
		}
	}
	return "the server (version unknown)"
}

// infoField returns a field of the reply of INFO.
func infoField(info, name string) (value string, ok bool) {
	for line := range strings.Lines(info) {
		if value, ok = strings.CutPrefix(line, name+":"); ok {
			return keys.Visible(strings.TrimSpace(value)), true
		}
	}
	return "", false
}
