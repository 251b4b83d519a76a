package acceptance

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// requiredCommands are the commands without which rafka does not work.
var requiredCommands = []string{
	"EVAL",
	"EVALSHA",
	"EXISTS",
	"EXPIRETIME",
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

// optionalCommands are the commands that rafka uses but can do without.
var optionalCommands = []string{"CLIENT", "HELLO", "INFO", "PING", "PUBLISH", "SUBSCRIBE", "XGROUP", "XLEN"}

// A required command that the server has renamed or disabled is named in the error before anything
// is done.
func TestPipelineNamesMissingCommand(t *testing.T) {
	for _, command := range requiredCommands {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			builder := service.NewStreamBuilder()
			require.NoError(
				t,
				builder.SetYAML(
					copier{url: redistest.Start(t, withoutCommands(command)...).URL()}.yaml(freeAddress(t)),
				),
			)
			builder.SetLogger(slog.New(slog.DiscardHandler))
			stream, err := builder.Build()
			require.NoError(t, err)
			results, err := stream.ConnectionTest(t.Context())
			require.NoError(t, err)
			require.Len(t, results, 2, "the input and the output")
			for _, result := range results {
				require.ErrorContains(t, result.Err, " lacks "+command+": rafka needs")
				require.ErrorContains(
					t,
					result.Err,
					"with these commands enabled: upgrade the server, or set `url` to another server",
				)
			}
		})
	}
}

// The log names the command, and the pipeline continues when the server has it, which takes a
// restart.
func TestPipelineResumesWhenMissingCommandExists(t *testing.T) {
	t.Parallel()
	lacking, complete := redistest.Start(t, withoutCommands("XADD", "ZSCORE")...), redistest.Start(t)
	client := complete.Client(t)
	source := newSource(t, client)
	source.write(t, 100)
	proxy := redistest.StartProxy(t, lacking.Addr())
	load := loadOf(t, lacking.Client(t))
	p := start(t, copier{url: proxy.URL()})
	awaitLogged(t, p.journal, "path=root.input", "lacks XADD, ZSCORE: rafka needs")
	awaitLogged(t, p.journal, "path=root.output", "lacks XADD, ZSCORE: rafka needs")
	p.awaitReady(t, 503)
	<-time.After(outageLasts)
	load.requireLowLoad(t, lacking.Client(t))
	assert.Equal(t, 503, p.ready())
	proxy.Redirect(complete.Addr())
	proxy.Reset()
	proxy.Pass()
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	source.requireOnce(t)
}

// The pipeline sends only commands of these two lists, and does not need the optional ones.
func TestPipelineWorksWithoutOptionalCommands(t *testing.T) {
	t.Parallel()
	missing := slices.DeleteFunc(slices.Clone(optionalCommands), func(name string) bool {
		return name == "INFO" || name == "XLEN" // this test sends them
	})
	server := redistest.Start(t, withoutCommands(missing...)...)
	client := server.Client(t)
	source := newSource(t, client)
	require.NoError(t, client.ConfigResetStat(t.Context()).Err())
	p := start(t, copier{url: server.URL()})
	source.write(t, 100)
	source.awaitCopies(t, 0)
	p.awaitReady(t, 200)
	awaitCommitted(t, client)
	for name := range executed(t, client) {
		family, _, _ := strings.Cut(name, "|")
		if !slices.Contains([]string{"config", "xrange", "zcount"}, family) { // this test's own
			assert.Contains(t, append(requiredCommands, optionalCommands...), strings.ToUpper(family))
		}
	}
	errors := slices.DeleteFunc(p.journal.Lines("level=ERROR"), func(line string) bool {
		return strings.Contains(line, "i/o timeout") // of a busy machine
	})
	assert.Empty(t, errors)
	assert.Empty(t, p.journal.Lines("level=WARN"))
	source.requireOnce(t)
}
