package scripttest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/script"
)

// Caller is a function that runs a script and decodes its reply.
type Caller struct {
	Script *script.Script
	Words  []string // the first words of the script's replies
	Call   func(ctx context.Context, client *redis.Client) error
}

// FuzzCallers fuzzes the replies that the callers decode, which AnswerIn makes from texts. No reply
// may make a caller panic. A caller returns an error if the reply is an error, and an error that
// names the script if the reply does not begin with one of the caller's words.
func FuzzCallers(f *testing.F, callers []Caller, texts ...string) {
	f.Helper()
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		answer := AnswerIn(text)
		client := Answering(answer)
		defer func() { _ = client.Close() }()
		for _, c := range callers {
			err := c.Call(t.Context(), client)
			if _, refused := answer.(error); refused {
				require.Error(t, err, c.Script.Name)
			} else if !slices.Contains(c.Words, script.ReplyOf(answer).Word(0)) {
				require.ErrorContains(t, err, fmt.Sprintf("the %s script answered", c.Script.Name))
			}
		}
	})
}

// RequireQuotedReplies requires that each caller returns an error that has the script's name and the
// whole reply. The replies of each script are texts for AnswerIn.
func RequireQuotedReplies(t *testing.T, callers []Caller, replies map[*script.Script][]string) {
	t.Helper()
	called := map[*script.Script]bool{}
	for _, c := range callers {
		called[c.Script] = true
		for _, text := range replies[c.Script] {
			answer := AnswerIn(text)
			client := Answering(answer)
			require.ErrorContains(
				t,
				c.Call(t.Context(), client),
				fmt.Sprintf("the %s script answered %q", c.Script.Name, answer),
				text,
			)
			require.NoError(t, client.Close())
		}
	}
	for s := range replies {
		assert.True(t, called[s], "no caller runs the %s script", s.Name)
	}
}
