package broker

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// What is counted of an entry goes when the entry is acknowledged, by this group or by a program
// that does not know what is counted.
func TestNothingIsKeptOfSuspectsThatWereAcknowledged(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		shares := NewShares(s.Client, s.Client, SharesOptions{Topic: "orders", Group: "billing"})
		h, split := shareHarness(t, s.Client, "orders"), PlainSplit("orders")
		var all []splits.Offset
		for range 3 {
			all = append(all, h.Append(split, "body", "x"))
		}
		opened := shares.Open(t.Context(), []splits.ShareOpen{{Split: split}})[0]
		require.NoError(t, opened.Err)
		_, err := shares.Read(t.Context(), splits.ShareRead{Member: "a", Splits: []splits.Split{split}, Count: 3})
		require.NoError(t, err)
		_, err = shares.Take(t.Context(), splits.ShareTake{Split: split, From: "a", To: "b", Died: true, Most: 3})
		require.NoError(t, err)
		key := keys.Share("orders", "billing")
		assert.Subset(t, s.Client.HKeys(t.Context(), key).Val(), []string{all[0].String(), all[1].String()})
		require.NoError(t, s.Client.XAck(t.Context(), "orders", "billing", all[0].String()).Err())
		acknowledge := func(o splits.Offset) []string {
			require.NoError(t, s.Client.HSet(t.Context(), key, "low_ms", 0).Err()) // it was stored long ago
			ack := splits.ShareAck{Split: split, Generation: opened.Generation, Offsets: []splits.Offset{o}}
			require.NoError(t, shares.Acknowledge(t.Context(), []splits.ShareAck{ack})[0].Err)
			return s.Client.HKeys(t.Context(), key).Val()
		}
		own := []string{"generation", "low", "open", "low_ms"}
		assert.ElementsMatch(t, append([]string{"suspects", all[2].String()}, own...), acknowledge(all[1]))
		assert.ElementsMatch(t, own, acknowledge(all[2]))
	})
}

// A server that is out of memory does not keep a suspect from being handed out.
func TestFlightIsStoredOnAServerThatIsOutOfMemory(t *testing.T) {
	s := onRedis(t)
	shares := NewShares(s.Client, s.Client, SharesOptions{Topic: "orders", Group: "billing"})
	h, split := shareHarness(t, s.Client, "orders"), PlainSplit("orders")
	offset := h.Append(split, "body", "x")
	opened := shares.Open(t.Context(), []splits.ShareOpen{{Split: split}})[0]
	require.NoError(t, opened.Err)
	_, err := shares.Read(t.Context(), splits.ShareRead{Member: "a", Splits: []splits.Split{split}, Count: 1})
	require.NoError(t, err)
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.ErrorContains(t, s.Client.HSet(t.Context(), "any", "f", "v").Err(), "OOM")
	assert.Equal(t, []error{nil}, shares.Suspect(t.Context(), []splits.ShareSuspects{{
		Split: split, Generation: opened.Generation, Member: "a", Turn: 1,
		Flight: splits.InFlightAlone, Offsets: []splits.Offset{offset},
	}}))
	_, err = shares.Take(t.Context(), splits.ShareTake{Split: split, From: "a", To: "b", Died: true, Most: 1})
	require.NoError(t, err)
	survivor := splits.ShareSurvivor{Split: split, Member: "a"}
	assert.Equal(t, []error{nil}, shares.Survive(t.Context(), []splits.ShareSurvivor{survivor}))
}
