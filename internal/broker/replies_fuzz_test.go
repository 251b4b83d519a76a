package broker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

var (
	fuzzSplit   = PartitionSplit("orders", 3)
	fuzzLease   = splits.Lease{Split: fuzzSplit, Member: "m", Epoch: 1}
	leaseWords  = []string{"OK", "FENCED", "HELD", "REFUSED"}
	fuzzRecords = []appender.Record{{Fields: []string{"body", "x"}}, {Fields: []string{"body", "y"}}}
)

var callers = []scripttest.Caller{
	{
		Script: enrollScript,
		Words:  []string{"OK"},
		Call: func(ctx context.Context, c *redis.Client) error {
			_, err := NewGroup(c, "orders", "g").Enroll(ctx, "m", "u")
			return err
		},
	},
	{
		Script: heartbeatScript,
		Words:  []string{"OK", "SUPERSEDED", "TYPE", "STREAM", "GROUPS"},
		Call: func(ctx context.Context, c *redis.Client) error {
			view, err := NewGroup(c, "orders", "g").Beat(ctx, splits.Beat{Member: "m", TTL: time.Second})
			if err == nil && len(view.Splits) > keys.MaxPartitions {
				return errors.New("more partitions than there can be")
			}
			return err
		},
	},
	{
		Script: proposeScript,
		Words:  []string{"OK", "STALE"},
		Call: func(ctx context.Context, c *redis.Client) error {
			plan := splits.Plan{Version: 1, Assignments: map[string][]int{"m": {0}}}
			_, err := NewGroup(c, "orders", "g").Propose(ctx, plan)
			return err
		},
	},
	{
		Script: claimScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			return fuzzLeases(c).Claim(ctx, "m", time.Second, []splits.Claim{{Split: fuzzSplit}})[0].Err
		},
	},
	{
		Script: commitScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			return fuzzLeases(c).Commit(ctx, time.Second, []splits.Commit{{Lease: fuzzLease}})[0]
		},
	},
	{
		Script: resetScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			return fuzzLeases(c).Reset(ctx, time.Second, splits.Commit{Lease: fuzzLease})
		},
	},
	{
		Script: releaseScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			return fuzzLeases(c).Release(ctx, []splits.Lease{fuzzLease})[0]
		},
	},
	{
		Script: noteScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			return fuzzLeases(c).Note(ctx, []splits.Note{{Lease: fuzzLease}})[0]
		},
	},
	{
		Script: adoptPendingScript,
		Words:  []string{"OK"},
		Call: func(ctx context.Context, c *redis.Client) error {
			_, err := NewAdoptions(c, c, "g", false).Pending(ctx, splits.PendingRequest{Split: fuzzSplit})
			return err
		},
	},
	{
		Script: adoptSettleScript,
		Words:  leaseWords,
		Call: func(ctx context.Context, c *redis.Client) error {
			return NewAdoptions(c, c, "g", false).Settle(ctx, []splits.Settlement{{Lease: fuzzLease}})[0].Err
		},
	},
	{
		Script: peekScript,
		Words:  []string{"OK", "NONE"},
		Call: func(ctx context.Context, c *redis.Client) error {
			peeked, err := NewLog(c, c).Peek(ctx, []splits.Cursor{{Split: fuzzSplit}})
			if err != nil {
				return err
			}
			return peeked[0].Err
		},
	},
	{
		Script: appendScript,
		Words:  []string{"OK", "DUP", "STALE", "GAP", "PARTITIONED", "PARTIAL"},
		Call: func(ctx context.Context, c *redis.Client) error {
			appends := NewAppends(c, AppendOptions{MaxLength: 5, TrimFailed: func(appender.Target, error) {}})
			return appends.Append(ctx, []appender.Request{{
				Target: appender.Target{Topic: "orders", Partition: 3, Key: fuzzSplit.Key}, Producer: "p", Epoch: 1,
				Seq: 1, Records: fuzzRecords,
			}})[0].Err
		},
	},
	{
		Script: createTopicScript,
		Words:  []string{"PLAIN", "CREATED", "EXISTS"},
		Call: func(ctx context.Context, c *redis.Client) error {
			_, _, err := NewTopics(c).Create(ctx, "orders", 4)
			return err
		},
	},
}

func fuzzLeases(c *redis.Client) *Leases {
	return NewLeases(c, LeasesOptions{Topic: "orders", Group: "g"})
}

// Whatever Redis replies, a caller does not panic and uses no more memory than the maximum number
// of partitions needs. A caller that cannot decode a reply returns an error that names the script.
func FuzzAnswersOfScripts(f *testing.F) {
	scripttest.FuzzCallers(f, callers,
		"", "_", "#1", "OK", "OK 1", "OK 1 5-3 7 2 foreign", "OK 1 5-3 x", "OK 1 x 7", "OK #1", "FENCED",
		"HELD other 3000", "HELD other",
		`OK 1 1 3000 8 8 a|b {"a":"0-3","b":"4-7"}`, `OK 2 1 3000 8 8 a|_|#3 x`, "OK 1 1 3000 1000000000000 0",
		"OK 1 1 3000 -1 0",
		"OK -1 18446744073709551615 9223372036854775807 1 1", "SUPERSEDED a/1-x", "TYPE share", "STREAM", "STALE 5:6",
		"STALE x", "GAP 5:",
		"REFUSED none s g", "REFUSED active s g c x", "REFUSED", "OK 5-3 1 1-0|2-0 x", "OK 5-3 _ 1-0 _", "OK x _ _ _",
		"DUP", "PARTITIONED", "PARTIAL 1 OOM", "PARTIAL 18446744073709551615 OOM", "PARTIAL x", "OK NOPERM 1:1",
		"PLAIN none", "PLAIN list",
		"CREATED", "EXISTS", "GROWN 3", "GROWN x", "SAME 9", "ALIVE a|b", "!NOSCRIPT no", "!WRONGTYPE key",
		"!NOPERM this user", "!",
		"!ERR Error running script: OOM", "OK 0 1-1 ours", "what is this",
	)
}

// The replies to raw commands: entries, and the states of streams.
func FuzzAnswersAboutStreams(f *testing.F) {
	for _, text := range []string{
		"", "orders:3", "length 5", "length x", "length 5 last-generated-id 7-1 entries-added 9 first-entry 5-0|x",
		"last-generated-id x",
		"first-entry |", "first-entry #1|#2", "5-0|a 6-0|b", "5-0", "orders:3|5-0", "!NOPERM", "!WRONGTYPE",
		"!no such key", "_ _", "#1 #2",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, answer := range shapes(scripttest.AnswerIn(text)) {
			client := scripttest.Answering(answer)
			log := NewLog(client, client)
			cursors := []splits.Cursor{{Split: fuzzSplit, Inspect: true}, {Split: PartitionSplit("orders", 4)}}
			if fetched, err := log.Fetch(t.Context(), splits.FetchRequest{Cursors: cursors, Count: 10}); err == nil {
				require.Len(t, fetched, len(cursors))
			} else {
				require.ErrorContains(t, err, fuzzSplit.Key)
			}
			states, err := log.State(t.Context(), []splits.Split{fuzzSplit})
			if err == nil {
				err = states[0].Err
			}
			if err != nil {
				require.ErrorContains(t, err, fuzzSplit.Key)
			}
			require.NoError(t, client.Close())
		}
	})
}

// shapes returns the same words unchanged, as a reply of XREAD, and as a map.
func shapes(answer any) []any {
	list, ok := answer.([]any)
	if !ok {
		return []any{answer}
	}
	pairs := map[any]any{}
	for i := 0; i+1 < len(list); i += 2 {
		if name, isText := list[i].(string); isText {
			pairs[name] = list[i+1]
		}
	}
	entry := []any{[]any{"5-3", list}}
	return []any{
		answer, pairs,
		[]any{[]any{fuzzSplit.Key, list}},
		[]any{[]any{fuzzSplit.Key, entry}},
		map[any]any{fuzzSplit.Key: list},
		map[any]any{fuzzSplit.Key: entry},
	}
}

// If a number in a script's reply cannot be parsed, the error contains the name of the script and
// its whole reply.
func TestErrorOfAMalformedNumberNamesTheScript(t *testing.T) {
	scripttest.RequireQuotedReplies(t, callers, map[*script.Script][]string{
		enrollScript:    {"OK", "OK x"},
		heartbeatScript: {"OK", "OK 1 1 x"},
		appendScript:    {"PARTIAL", "PARTIAL x OOM"},
		claimScript:     {"OK x", "OK 1 x", "OK 1 5-3 x", "OK 1 5-3 7 x", "HELD other x"},
		commitScript:    {"HELD other x"},
		resetScript:     {"HELD other"},
		releaseScript:   {"HELD other"},

		adoptPendingScript: {"OK 5-3", "OK x _ _ _", "OK 5-3 _ x|1-0 _", "OK 5-3 _ _ x"},
		adoptSettleScript:  {"OK", "OK x"},
	})
}
