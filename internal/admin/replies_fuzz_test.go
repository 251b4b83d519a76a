package admin

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

var leaseWords = []string{"OK", "FENCED", "HELD", "REFUSED"}

var callers = []scripttest.Caller{
	{
		Script: growTopicScript,
		Words:  []string{"PLAIN", "GROWN", "SAME"},
		Call: func(ctx context.Context, c *redis.Client) error {
			_, err := New(c).growTopic(ctx, "orders", 4)
			return err
		},
	},
	{
		Script: deleteGroupScript,
		Words:  []string{"OK", "ALIVE"},
		Call: func(ctx context.Context, c *redis.Client) error {
			_, err := New(c).dropGroup(ctx, "orders", "g", false)
			return err
		},
	},
	{
		Script: deleteLeaseScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			_, err := New(c).dropLeases(ctx, "orders", "g", []splits.Split{testSplit}, false)
			return err
		},
	},
	{
		Script: adoptScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			adoption := Adoption{Topic: "orders", Group: "g", From: "g"}
			_, err := New(c).adoptEach(ctx, adoption, []splits.Split{testSplit}, true)
			return err
		},
	},
	{
		Script: markLettersScript,
		Words:  []string{"OK"},
		Call: func(ctx context.Context, c *redis.Client) error {
			return New(c).mark(ctx, []DeadLetter{{Split: testSplit}})
		},
	},
	{
		Script: purgeLettersScript,
		Words:  []string{"OK"},
		Call: func(ctx context.Context, c *redis.Client) error {
			_, err := New(c).PurgeLetters(ctx, []DeadLetter{{Split: testSplit}})
			return err
		},
	},
	{
		Script: skipScript,
		Words:  []string{"OK", "CHANGED"},
		Call: func(ctx context.Context, c *redis.Client) error {
			value, err := skipScript.Run(ctx, c, []string{"s", "l"})
			_, err = decodeSkip(skipScript, value, err)
			return err
		},
	},
	{
		Script: seekScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			seek := Seek{Topic: "orders", Group: "g"}
			_, err := New(c).seekLeases(ctx, seek, splits.Earliest(), []splits.Split{testSplit})
			return err
		},
	},
}

// If a number in a script's reply cannot be parsed, the error contains the name of the script and
// its whole reply.
func TestErrorsOfInvalidNumbersNameTheAdminScript(t *testing.T) {
	scripttest.RequireQuotedReplies(t, callers, map[*script.Script][]string{
		growTopicScript:    {"GROWN x"},
		deleteLeaseScript:  {"HELD other x"},
		adoptScript:        {"OK x", "OK 5-1 x", "OK 5-1 5 x", "OK 5-1 5 3 x"},
		purgeLettersScript: {"OK", "OK x"},
		seekScript:         {"OK _ x", "OK 5-1 5-3 x", "HELD other x"},
	})
}

// FuzzAnswersOfAdminScripts is FuzzAnswersOfScripts of internal/broker for the scripts of this
// package.
func FuzzAnswersOfAdminScripts(f *testing.F) {
	scripttest.FuzzCallers(f, callers,
		"", "_", "#1", "OK", "OK 1", "OK 1 5-3 x", "OK #1", "FENCED", "HELD other 3000", "HELD other",
		"REFUSED exists s g 5-1", "REFUSED", "OK 5-1 5 3 2 1",
		"PLAIN none", "PLAIN list", "GROWN 3", "GROWN x", "SAME 9", "ALIVE a|b", "!NOSCRIPT no",
		"!WRONGTYPE key", "!NOPERM this user", "!", "!ERR Error running script: OOM", "what is this",
	)
}
