package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

func TestGroupCommandsKnowShareGroups(t *testing.T) {
	_, client := startRedis(t)
	for _, id := range []string{"5-1", "5-2", "5-3", "5-4"} {
		add(t, client, "orders", id)
	}
	group := broker.NewShareGroup(client, "orders", "billing")
	_, err := group.Beat(t.Context(), splits.ShareBeat{Member: "a", TTL: time.Minute})
	require.NoError(t, err)
	shares := broker.NewShares(client, client, broker.SharesOptions{Topic: "orders", Group: "billing"})
	plain := []splits.Split{broker.PlainSplit("orders")}
	require.NoError(t, shares.Open(t.Context(), []splits.ShareOpen{{Split: plain[0]}})[0].Err)
	for member, count := range map[string]int{"a": 1, "gone": 2} {
		_, err := shares.Read(t.Context(), splits.ShareRead{Member: member, Splits: plain, Count: count})
		require.NoError(t, err)
	}

	described := rafka(t, "group", "describe", "billing", "--topic", "orders").stdout
	for _, text := range []string{
		"Type:      share\nLag:       1\nPending:   3\nMembers:   1\n",
		"CONSUMER   STATE   PENDING\na          live    1\ngone       dead    2\n",
		"PARTITION   LAG   PENDING   OLDEST PENDING   AGE ",
	} {
		assert.Contains(t, described, text)
	}
	var group2 struct {
		Type       string                `json:"group_type"`
		Consumers  []admin.GroupConsumer `json:"consumers"`
		Partitions []struct {
			Share map[string]any `json:"share"`
		} `json:"partitions"`
	}
	o := rafka(t, "group", "describe", "billing", "--topic", "orders", "--format", "json")
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &group2))
	assert.Len(t, group2.Consumers, 2)
	assert.Equal(
		t,
		map[string]any{"pending": 3., "oldest_pending": "5-1", "deliveries": 1.},
		group2.Partitions[0].Share,
	)

	seek := []string{"group", "seek", "billing", "--topic", "orders", "--to", "5-3"}
	const moved = "note: 1 pending entry is after the new offsets: they are delivered again, also if a member still " +
		"works on them\nnote: 2 pending entries are up to the new offsets: no member delivers them again\n\n" +
		"PARTITION   BEFORE   AFTER   LAG   PENDING   DELIVERED AGAIN\n" +
		"0           5-0      5-2     <=3   3         1\n"
	succeeds(t, "would move group billing of topic orders\n"+moved, append(seek, "--dry-run")...)
	succeeds(t, "moved group billing of topic orders\n"+moved, seek...)
	require.NoError(t, group.Leave(t.Context(), "a"))
	assert.Contains(
		t,
		rafka(t, "group", "delete", "billing", "--topic", "orders", "--yes").stdout,
		"deleted group billing",
	)
}
