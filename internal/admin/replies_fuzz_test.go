package admin

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// caller is what runs a script and decodes its reply.
type caller struct {
	script *script.Script
	words  []string // that the script may begin its answer with
	call   func(ctx context.Context, client *redis.Client) error
}

var leaseWords = []string{"OK", "FENCED", "HELD"}

var callers = []caller{
	{growTopicScript, []string{"PLAIN", "GROWN", "SAME"}, func(ctx context.Context, c *redis.Client) error {
		_, err := New(c).growTopic(ctx, "orders", 4)
		return err
	}},
	{deleteGroupScript, []string{"OK", "ALIVE"}, func(ctx context.Context, c *redis.Client) error {
		return New(c).dropGroup(ctx, "orders", "g", false)
	}},
	{deleteLeaseScript, leaseWords, func(ctx context.Context, c *redis.Client) error {
		_, err := New(c).dropLeases(ctx, "orders", "g", []splits.Split{testSplit}, false)
		return err
	}},
	{seekScript, leaseWords, func(ctx context.Context, c *redis.Client) error {
		_, err := New(
			c,
		).seekEach(
			ctx,
			Seek{Topic: "orders", Group: "g"},
			splits.Earliest(),
			[]splits.Split{testSplit},
		)
		return err
	}},
}

// A number that can't be read is the script's, so the error has its name and all that it answered.
func TestNumbersOfAdminScriptsNameTheirScript(t *testing.T) {
	wellBegun := map[*script.Script][]string{
		growTopicScript:   {"GROWN x"},
		deleteLeaseScript: {"HELD other x"},
		seekScript:        {"OK _ x", "OK 5-1 5-3 x", "HELD other x"},
	}
	for _, c := range callers {
		for _, text := range wellBegun[c.script] {
			client := scripttest.Answering(scripttest.AnswerIn(text))
			require.ErrorContains(
				t,
				c.call(t.Context(), client),
				fmt.Sprintf("the %s script answered %q", c.script.Name, scripttest.AnswerIn(text)),
				text,
			)
			require.NoError(t, client.Close())
		}
	}
}

// FuzzAnswersOfAdminScripts is FuzzAnswersOfScripts for what operators do.
func FuzzAnswersOfAdminScripts(f *testing.F) {
	for _, text := range []string{
		"", "_", "#1", "OK", "OK 1", "OK 1 5-3 x", "OK #1", "FENCED", "HELD other 3000", "HELD other",
		"PLAIN none", "PLAIN list", "GROWN 3", "GROWN x", "SAME 9", "ALIVE a|b", "!NOSCRIPT no",
		"!WRONGTYPE key", "!NOPERM this user", "!", "!ERR Error running script: OOM", "what is this",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		answer := scripttest.AnswerIn(text)
		client := scripttest.Answering(answer)
		defer func() { _ = client.Close() }()
		for _, c := range callers {
			err := c.call(t.Context(), client)
			if _, refused := answer.(error); refused {
				require.Error(t, err, c.script.Name)
			} else if !slices.Contains(c.words, script.ReplyOf(answer).Word(0)) {
				require.ErrorContains(t, err, fmt.Sprintf("the %s script answered", c.script.Name))
			}
		}
	})
}
