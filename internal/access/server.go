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

// needed are the commands without which nothing works; those that scripts use and can do without
// are missing. EXPIRETIME stands for Redis 7.0, of which rafka wants what can't be asked for
// without touching streams: that they count what was ever added to them, and that positions of
// groups can be set together with that count.
var needed = []string{
	"EXPIRETIME",
	"EXISTS",
	"GET",
	"HDEL",
	"HGET",
	"HGETALL",
	"HMGET",
	"HSET",
	"PERSIST",
	"PEXPIRE",
	"SET",
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

// OldServerError says that a server can't do all that is needed.
type OldServerError struct {
	// Found names the server and its version as far as it told.
	Found string
	// Lacks are the commands that it does not know.
	Lacks []string
}

// Error names what was found, what is missing, and the ways out.
func (e *OldServerError) Error() string {
	return fmt.Sprintf(
		"the server is %s without %s: rafka needs Redis 7.0 or Valkey 7.2, or newer, with these commands enabled: upgrade it, "+
			"or point `url` to another one",
		e.Found,
		strings.Join(e.Lacks, ", "),
	)
}

// CheckServer makes sure that the server, or each master of a cluster that can be reached, is able
// to do what is needed: if not, the error is an *OldServerError. Of a cluster one master at least
// must be within reach: the others' partitions have their own errors. What a server calls itself
// does not count, since managed ones and proxies make that up; one that keeps its abilities to
// itself is taken to have them. Nothing is written.
func CheckServer(ctx context.Context, client redis.UniversalClient) error {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return checkServer(ctx, client)
	}
	var mu sync.Mutex // masters are asked at the same time
	var away error
	fit := false
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		err := checkServer(ctx, master)
		if err != nil {
			err = fmt.Errorf("cluster node %s: %w", master.Options().Addr, err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch rediserr.Classify(err) {
		case rediserr.ClassNone:
			fit = true
		case rediserr.ClassTransient:
			away, err = err, nil
		case rediserr.ClassConnection:
			if old := (*OldServerError)(nil); !errors.As(err, &old) {
				away, err = err, nil
			}
		}
		return err
	})
	if err == nil && !fit {
		err = away
	}
	return err
}

func checkServer(ctx context.Context, client redis.UniversalClient) error {
	answer, err := abilitiesScript.Run(ctx, client, nil, strings.Join(needed, " "))
	var lacks []string
	switch class := rediserr.Classify(err); {
	case class == rediserr.ClassNone:
		lacks = script.ReplyOf(answer).Words(1)
	case rediserr.UnknownCommand(err):
		lacks = unknownOf(ctx, client, "EVAL", "EVALSHA")
	case class == rediserr.ClassConnection, class == rediserr.ClassAuth, class == rediserr.ClassTransient:
		return fmt.Errorf("asking for the server's abilities: %w", rediserr.Explain(err))
	}
	if len(lacks) == 0 {
		return nil
	}
	return &OldServerError{Found: nameServer(ctx, client), Lacks: lacks}
}

// unknownOf are those of the commands that the server does not know. They are sent without
// arguments, with which none can be executed.
func unknownOf(ctx context.Context, client redis.UniversalClient, commands ...string) (unknown []string) {
	for _, command := range commands {
		if rediserr.UnknownCommand(client.Do(ctx, command).Err()) {
			unknown = append(unknown, command)
		}
	}
	return unknown
}

// nameServer is what the server calls itself.
func nameServer(ctx context.Context, client redis.UniversalClient) string {
	info := client.Info(ctx, "server").Val() // empty if it is refused
	for _, known := range []struct{ field, name string }{{"valkey_version", "Valkey "}, {"redis_version", "Redis "}} {
		if version, told := infoField(info, known.field); told {
			return known.name + version
		}
	}
	return "one that hides its version,"
}

// infoField finds a field in the reply of INFO.
func infoField(info, name string) (value string, ok bool) {
	for line := range strings.Lines(info) {
		if value, ok = strings.CutPrefix(line, name+":"); ok {
			return keys.Visible(strings.TrimSpace(value)), true
		}
	}
	return "", false
}
