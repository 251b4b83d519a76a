package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// The oldest servers that have all that rafka needs.
var (
	oldestRedis  = version{7, 0}
	oldestValkey = version{7, 2}
)

// version is the first two numbers of a server's version.
type version struct{ major, minor int }

func (v version) older(than version) bool {
	return v.major < than.major || v.major == than.major && v.minor < than.minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// OldServerError says that a server is too old.
type OldServerError struct {
	// Found names the server and its version as far as it told.
	Found string
}

// Error names what was found and what is needed.
func (e *OldServerError) Error() string {
	return fmt.Sprintf("the server is %s: rafka needs Redis %s or Valkey %s, or newer: upgrade it, or point `url` to another one",
		e.Found, oldestRedis, oldestValkey)
}

// CheckServer makes sure that the server, or each master of a cluster that can be reached, is new enough: if not, the error is an
// *OldServerError. Of a cluster one master at least must be within reach: the others' partitions have their own errors. A server that does
// not tell its version (a managed one, a proxy, the embedded one) is judged by what it can do. Nothing is written.
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
		switch Classify(err) {
		case ClassNone:
			fit = true
		case ClassTransient:
			away, err = err, nil
		case ClassConnection:
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
	info, err := client.Info(ctx, "server").Result()
	switch Classify(err) {
	case ClassConnection, ClassAuth, ClassTransient:
		return fmt.Errorf("asking for the server's version: %w", Explain(err))
	}
	for _, known := range []struct {
		field, name string
		oldest      version
	}{{"valkey_version", "Valkey", oldestValkey}, {"redis_version", "Redis", oldestRedis}} {
		text, told := infoField(info, known.field)
		found, ok := parseVersion(text)
		if !told || !ok {
			continue
		}
		if found.older(known.oldest) {
			return &OldServerError{Found: known.name + " " + text}
		}
		return nil
	}
	return checkAbility(ctx, client)
}

// checkAbility asks for a command that came with Redis 7.0. Any answer but that it is unknown proves that it is there.
func checkAbility(ctx context.Context, client redis.UniversalClient) error {
	err := client.ExpireTime(ctx, "rafka:check").Err()
	switch {
	case redis.HasErrorPrefix(err, "unknown command"):
		return &OldServerError{Found: "one that hides its version and lacks the command EXPIRETIME"}
	case Classify(err) == ClassConnection, Classify(err) == ClassAuth:
		return fmt.Errorf("asking for the server's abilities: %w", Explain(err))
	}
	return nil
}

// infoField finds a field in the reply of INFO.
func infoField(info, name string) (value string, ok bool) {
	for line := range strings.Lines(info) {
		if value, ok = strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

func parseVersion(text string) (v version, ok bool) {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) < 2 {
		return version{}, false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return version{}, false
	}
	minor, err := strconv.Atoi(parts[1])
	return version{major, minor}, err == nil
}
