package access

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

func TestSharerIsToldWhichKeyHasAnotherType(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		require.NoError(t, CheckSharer(t.Context(), s.Client, "orders", "billing"))
		key := keys.Share("orders", "billing")
		require.NoError(t, s.Client.Set(t.Context(), key, "x", 0).Err())
		require.ErrorContains(t, CheckSharer(t.Context(), s.Client, "orders", "billing"), key)
		require.NoError(t, CheckReader(t.Context(), s.Client, "orders", "billing"))
	})
}

func TestUserOfAConsumerGroupCanNotJoinAShareGroup(t *testing.T) {
	l := scripttest.StartLimited(t)
	rules, err := ACL{Role: RoleReader, Topic: "orders", Group: "billing"}.Rules()
	require.NoError(t, err)
	l.As(t, rules, func(client *redis.Client) {
		require.NoError(t, CheckReader(t.Context(), client, "orders", "billing"))
		require.Error(t, CheckSharer(t.Context(), client, "orders", "billing"))
	})
}

// With exactly the required permissions, everything that a member of a share group does works.
func TestSharerNeedsExactlyItsPermissions(t *testing.T) {
	l := scripttest.StartLimited(t)
	rules, err := ACL{Role: RoleSharer, Topic: "orders", Group: "billing", Minimal: true}.Rules()
	require.NoError(t, err)
	require.NoError(
		t,
		l.Admin.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: []string{"body", "x"}}).Err(),
	)
	l.As(t, rules, func(client *redis.Client) { shareEverything(t, client) })
}

// shareEverything makes every request of a member of a share group.
func shareEverything(t *testing.T, client *redis.Client) {
	require.NoError(t, CheckSharer(t.Context(), client, "orders", "billing"))
	group := broker.NewShareGroup(client, "orders", "billing")
	view, err := group.Beat(t.Context(), splits.ShareBeat{Member: "a", TTL: time.Minute})
	require.NoError(t, err)
	shares := broker.NewShares(client, client, broker.SharesOptions{Topic: "orders", Group: "billing"})
	opened := shares.Open(t.Context(), []splits.ShareOpen{{Split: view.Splits[0]}})[0]
	require.NoError(t, opened.Err)
	delivered, err := shares.Read(t.Context(), splits.ShareRead{Member: "a", Splits: view.Splits, Count: 1})
	require.NoError(t, err)
	require.NoError(t, delivered[0].Err)
	require.Len(t, delivered[0].Entries, 1)
	offset := delivered[0].Entries[0].Offset
	held := shares.Pending(t.Context(), splits.SharePending{Member: "a", Splits: view.Splits, Most: 1})[0]
	require.NoError(t, held.Err)
	require.NoError(t, shares.Holders(t.Context(), view.Splits)[0].Err)
	_, err = shares.Take(t.Context(), splits.ShareTake{
		Split: view.Splits[0], From: "a", To: "b", Died: true, Most: 1,
	})
	require.NoError(t, err)
	flight := splits.ShareSuspects{
		Split: view.Splits[0], Generation: opened.Generation, Member: "b", Turn: 1,
		Flight: splits.InFlightAlone, Offsets: []splits.Offset{offset},
	}
	require.NoError(t, shares.Suspect(t.Context(), []splits.ShareSuspects{flight})[0])
	survivor := splits.ShareSurvivor{Split: view.Splits[0], Member: "b"}
	require.NoError(t, shares.Survive(t.Context(), []splits.ShareSurvivor{survivor})[0])
	load := splits.ShareLoad{
		Split: view.Splits[0], Offsets: []splits.Offset{offset}, Generation: opened.Generation, Bytes: 1,
	}
	_, err = shares.Load(t.Context(), load)
	require.NoError(t, err)
	ack := splits.ShareAck{Split: view.Splits[0], Generation: opened.Generation, Offsets: []splits.Offset{offset}}
	note := splits.ShareNote{
		Split: view.Splits[0], Generation: opened.Generation, Member: "b",
		Failing: []splits.Attempted{{Offset: offset, Attempts: 1}},
	}
	require.NoError(t, shares.Note(t.Context(), []splits.ShareNote{note})[0])
	require.NoError(t, shares.Acknowledge(t.Context(), []splits.ShareAck{ack})[0].Err)
	note.Failing, note.Resolved = nil, []splits.Offset{offset}
	require.NoError(t, shares.Note(t.Context(), []splits.ShareNote{note})[0])
	require.NoError(t, group.Leave(t.Context(), "a"))
}
