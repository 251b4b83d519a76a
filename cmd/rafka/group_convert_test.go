package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

func TestGroupConvertCommand(t *testing.T) {
	_, client := startRedis(t)
	add(t, client, "orders", "5-1")
	group := broker.NewGroup(client, "orders", "billing")
	_, err := group.Beat(t.Context(), splits.Beat{Member: "a", TTL: time.Minute})
	require.NoError(t, err)
	leases := broker.NewLeases(client, broker.LeasesOptions{Topic: "orders", Group: "billing"})
	plain := broker.PlainSplit("orders")
	granted := leases.Claim(t.Context(), "a", time.Minute, []splits.Claim{{Split: plain, Start: splits.Latest()}})[0]
	require.NoError(t, granted.Err)
	require.NoError(
		t,
		leases.Release(t.Context(), []splits.Lease{{Split: plain, Member: "a", Epoch: granted.Epoch}})[0],
	)
	require.NoError(t, group.Leave(t.Context(), "a"))

	convert := []string{"group", "convert", "billing", "--topic", "orders", "--to", "share"}
	fails(t, convert, "nothing was changed", "--dry-run", "--yes")
	fails(t, append(convert[:5:5], "--yes"), "set it to consumer or share")
	const table = "\n\nPARTITION   CONTINUES AFTER\n0           5-1\n"
	succeeds(t, "consumer group billing of topic orders would become a share group, and group_type of its inputs must "+
		"be share"+table, append(convert, "--dry-run")...)
	succeeds(
		t,
		"consumer group billing of topic orders is a share group now: set group_type of its inputs to share"+table,
		append(convert, "--yes")...)
	fails(t, append(convert, "--yes"), "it is a share group already")
}
