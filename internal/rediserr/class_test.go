package rediserr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noMaster returns the error of go-redis when the Sentinels gave these replies.
func noMaster(answers ...error) error {
	return fmt.Errorf("redis: all sentinels specified in configuration are unreachable: %w", errors.Join(answers...))
}

func TestClassifyAndExplain(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	tests := []struct {
		err    error
		class  Class
		remedy string
	}{
		{nil, ClassNone, ""},
		{redis.Nil, ClassNone, ""},
		{io.EOF, ClassConnection, "`url`"},
		{io.ErrUnexpectedEOF, ClassConnection, "`url`"},
		{dial, ClassConnection, "`url`"},
		{&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, ClassConnection, "`url`"},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, ClassConnection, "`url`"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, ClassConnection, "`read_timeout`"},
		{context.DeadlineExceeded, ClassConnection, "`read_timeout`"},
		{context.Canceled, ClassConnection, ""},
		{redis.ErrPoolTimeout, ClassConnection, "`pool.size`"},
		{redis.ErrPoolExhausted, ClassConnection, "`pool.size`"},
		{
			errors.New("redis: all sentinels specified in configuration are unreachable"),
			ClassConnection,
			"the addresses of the Sentinels in `url`",
		},
		{noMaster(dial, redis.Nil), ClassConnection, "`master`"},
		{noMaster(dial, Error("NOAUTH Authentication required.")), ClassAuth, "`sentinel_password`"},
		{noMaster(Error("ERR unknown command 'sentinel'")), ClassConnection, "are not Sentinels"},
		{redis.ErrClosed, ClassFinal, ""},
		{Rejection("ERR max number of clients reached"), ClassTransient, "maxclients"},
		{Rejection("DENIED Redis is running in protected mode"), ClassAuth, "protected"},
		{
			Error("WRONGTYPE Operation against a key holding the wrong kind of value"),
			ClassWrongType,
			"`stream_name`",
		},
		{
			Error(
				"WRONGTYPE Operation against a key holding the wrong kind of value script: f0, on @user_script:1.",
			),
			ClassWrongType,
			"delete",
		},
		{
			Error(
				"ERR Error compiling script (new function): :1: WRONGTYPE Operation against a key stack " +
					"traceback:  [G]: ?",
			),
			ClassWrongType,
			"delete",
		}, // miniredis
		{
			Error("ERR Error running script (call to f_0): @user_script:1: WRONGTYPE Operation"),
			ClassWrongType,
			"delete",
		},
		{
			Error("ERR Error running script (call to f_0): @user_script:1: user_script:1: attempt to index"),
			ClassFinal,
			"",
		},
		{
			Error("NOPERM this user has no permissions to run the 'xadd' command"),
			ClassPermission,
			"ACL SETUSER <username> +xadd",
		},
		{
			Error("NOPERM this user has no permissions to access one of the keys used as arguments"),
			ClassPermission,
			"<username> ~<key>",
		},
		// 7.2, 8, valkey
		{
			Error("NOPERM User alice has no permissions to run the 'xinfo|stream' command"),
			ClassPermission,
			" +xinfo|stream",
		},
		{Error("NOPERM No permissions to access a key"), ClassPermission, "ACL SETUSER <username> ~<key>"},
		{
			Error("NOPERM No permissions to access a channel"),
			ClassPermission,
			"ACL SETUSER <username> &<channel>",
		},
		{
			Error(
				"ERR The user executing the script can't run this command or subcommand script: f0, on @user_script:1.",
			),
			ClassPermission,
			"ACL SETUSER <username> +<command>",
		}, // 7.0
		{
			Error(
				"ERR The user executing the script can't access at least one of the keys mentioned in the command " +
					"arguments",
			),
			ClassPermission,
			"ACL SETUSER",
		},
		{
			Error(
				"ERR ACL failure in script: User alice has no permissions to run the 'xadd' command script: f0",
			),
			ClassPermission,
			"ACL SETUSER <username> +xadd",
		}, // 7.2, 8, valkey
		{Error("NOAUTH Authentication required."), ClassAuth, "`password`"},
		{Error("WRONGPASS invalid username-password pair or user is disabled."), ClassAuth, "`username`"},
		{Error("ERR invalid password"), ClassAuth, "`password`"},
		{
			Error(
				"ERR AUTH <password> called without any password configured for the default user. Are you sure?",
			),
			ClassAuth,
			"`password`",
		},
		{Error("DENIED Redis is running in protected mode"), ClassAuth, "protected"},
		{Error("OOM command not allowed when used memory > 'maxmemory'."), ClassTransient, "maxmemory"},
		{Error("READONLY You can't write against a read only replica."), ClassTransient, "master"},
		{Error("MISCONF Errors writing to the AOF file: No space left on device"), ClassTransient, "disk"},
		{Error("NOREPLICAS Not enough good replicas to write."), ClassTransient, "min-replicas"},
		{Error("LOADING Redis is loading the dataset in memory"), ClassTransient, "loading"},
		{Error("CLUSTERDOWN The cluster is down"), ClassTransient, "cluster"},
		{
			Error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
			ClassTransient,
			"master",
		},
		{Error("TRYAGAIN Multiple keys request during rehashing of slot"), ClassTransient, "slots"},
		{Error("MOVED 3999 127.0.0.1:6381"), ClassTransient, "`kind` to cluster"},
		{Error("ASK 3999 127.0.0.1:6381"), ClassTransient, "`kind` to cluster"},
		{Error("REDIRECT 127.0.0.1:6381"), ClassTransient, "master"},
		{Error("BUSY Redis is busy running a script."), ClassTransient, "SCRIPT KILL"},
		{Error("INPROG Failover already in progress."), ClassTransient, "failover"},
		{Error("UNBLOCKED client unblocked via CLIENT UNBLOCK"), ClassTransient, ""},
		{Error("NOSCRIPT No matching script. Please use EVAL."), ClassTransient, "script"},
		{Error("ERR max number of clients reached"), ClassTransient, "maxclients"},
		{Error("ERR max number of clients + cluster connections reached"), ClassTransient, "maxclients"},
		{Error("CROSSSLOT Keys in request don't hash to the same slot"), ClassFinal, "cluster"},
		{Error("ERR unknown command 'EVALSHA', with args beginning with: "), ClassFinal, "7.0"},
		{Error("ERR unknown command `EVALSHA`, with args beginning with: "), ClassFinal, "7.0"},
		{Error("ERR Unknown Redis command called from script script: f0"), ClassFinal, "7.0"},
		{Error("ERR Unknown command called from script script: f0"), ClassFinal, "7.0"}, // Valkey 8
		{Error("ERR value is not an integer or out of range"), ClassFinal, ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.err), func(t *testing.T) {
			assert.Equal(t, test.class, Classify(test.err))
			if test.err == nil {
				require.NoError(t, Explain(nil))
				return
			}
			wrapped := fmt.Errorf("reading orders: %w", test.err)
			assert.Equal(t, test.class, Classify(wrapped), "wrapped")
			explained := Explain(wrapped)
			require.ErrorIs(t, explained, test.err)
			assert.Equal(t, test.class, Classify(explained), "explained")
			assert.Equal(t, explained, Explain(explained), "explained twice")
			assert.Contains(t, strings.TrimPrefix(explained.Error(), wrapped.Error()), test.remedy)
			if test.remedy == "" && !errors.Is(test.err, redis.ErrClosed) {
				assert.Equal(t, wrapped, explained)
			}
		})
	}
}
