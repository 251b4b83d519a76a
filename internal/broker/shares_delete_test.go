package broker

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// acknowledgeOne delivers a new entry of the plain topic orders in the group sharers, acknowledges it
// and wants it deleted. It returns why it was kept.
func acknowledgeOne(t *testing.T, admin, client *redis.Client, r *Registry) error {
	t.Helper()
	split := PlainSplit("orders")
	require.NoError(t, admin.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: []string{"body", "x"}}).Err())
	opened := NewShares(admin, admin, SharesOptions{Topic: "orders", Group: "sharers"}).Open(
		t.Context(), []splits.ShareOpen{{Split: split}})[0]
	require.NoError(t, opened.Err)
	shares := NewShares(client, client, SharesOptions{Topic: "orders", Group: "sharers", Registry: r})
	read, err := shares.Read(t.Context(), splits.ShareRead{Member: "m", Splits: []splits.Split{split}, Count: 1})
	require.NoError(t, err)
	require.Len(t, read[0].Entries, 1)
	offset := read[0].Entries[0].Offset
	answer := shares.Acknowledge(t.Context(), []splits.ShareAck{
		{Split: split, Generation: opened.Generation, Offsets: []splits.Offset{offset}, Delete: true},
	})[0]
	require.NoError(t, answer.Err)
	assert.Zero(t, admin.XPending(t.Context(), "orders", "sharers").Val().Count)
	there := admin.XRange(t.Context(), "orders", offset.String(), offset.String()).Val()
	assert.Equal(t, answer.Kept != nil, len(there) == 1, "%v", answer.Kept)
	return answer.Kept
}

// The groups were read by the clock of one server, and are used by the clock of another.
func TestDeletionNeedsGroupsThatWereReadJustNow(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		try := func(age time.Duration) error {
			r := NewRegistry()
			r.groupsRead = groupsRead{
				groups: []string{"sharers"}, at: s.Now(t) - age.Milliseconds(), valid: time.Minute,
			}
			return acknowledgeOne(t, s.Client, s.Client, r)
		}
		require.NoError(t, try(0))
		require.NoError(t, try(-30*time.Second))
		require.ErrorIs(t, try(2*time.Minute), errGroupsOld)
		require.ErrorIs(t, try(-2*time.Minute), errGroupsOld)
		require.ErrorIs(t, acknowledgeOne(t, s.Client, s.Client, NewRegistry()), errGroupsUnknown)
		require.ErrorIs(t, acknowledgeOne(t, s.Client, s.Client, nil), errGroupsUnknown)
	})
}

func TestReasonToKeepEntriesNamesTheGroupAndTheRemedy(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		r := NewRegistry()
		beat(t, s.group(), "m1")
		s.sharing(t, "sharers", r)
		err := acknowledgeOne(t, s.Client, s.Client, r)
		var groups *GroupsReadError
		require.ErrorAs(t, err, &groups)
		assert.Equal(t, []string{"billing"}, groups.Groups)
		require.ErrorContains(t, err, "consumer_group billing reads topic orders too")
		require.ErrorContains(t, err, "rafka group delete billing --topic orders --yes")

		require.NoError(t, s.Client.FlushAll(t.Context()).Err())
		s.sharing(t, "sharers", r)
		require.NoError(t, acknowledgeOne(t, s.Client, s.Client, r))
		require.NoError(t, s.Client.XGroupCreate(t.Context(), "orders", "workers", "0").Err())
		err = acknowledgeOne(t, s.Client, s.Client, r)
		require.ErrorAs(t, err, new(*NativeGroupError))
		require.ErrorContains(t, err, "XGROUP DESTROY orders workers")
		require.NoError(t, s.Client.XGroupCreateConsumer(t.Context(), "orders", "workers", "rafka:mirror").Err())
		err = acknowledgeOne(t, s.Client, s.Client, r)
		require.ErrorContains(t, err, "consumer_group workers reads topic orders too", "not registered yet")
	})
}

func TestReasonToKeepEntriesNamesAtMostFiveGroups(t *testing.T) {
	err := &GroupsReadError{Topic: "orders", Groups: []string{"a", "b", "c", "d", "e", "f", "g"}}
	assert.ErrorContains(t, err, "the groups a, b, c, d, e and 2 more read topic orders too")
	err.Groups = err.Groups[:2]
	assert.ErrorContains(t, err, "the groups a, b read topic orders too")
}

func TestEntryThatMayNotBeDeletedIsAcknowledged(t *testing.T) {
	l := scripttest.StartLimited(t)
	r := NewRegistry()
	testServer{scripttest.Server{Client: l.Admin}}.sharing(t, "sharers", r)
	for _, command := range []string{"xdel", "xinfo|groups"} {
		l.As(t, []string{"~*", "&*", "+@all", "-" + command}, func(client *redis.Client) {
			err := acknowledgeOne(t, l.Admin, client, r)
			require.Error(t, err, command)
			assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(err), "%s: %v", command, err)
			assert.ErrorContains(t, err, "key orders", command)
		})
	}
}
