package admin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// sharing is a share group called sharers on the topic that testServer.fill creates, with one
// member.
type sharing struct {
	testServer
	group  *broker.Sharers
	shares *broker.Shares
}

func (s testServer) sharing(t *testing.T, members ...string) sharing {
	t.Helper()
	s.fill(t)
	sh := sharing{
		testServer: s,
		group:      broker.NewShareGroup(s.Client, "orders", "sharers"),
		shares:     broker.NewShares(s.Client, s.Client, broker.SharesOptions{Topic: "orders", Group: "sharers"}),
	}
	for _, member := range members {
		_, err := sh.group.Beat(t.Context(), splits.ShareBeat{Member: member, TTL: time.Minute})
		require.NoError(t, err)
	}
	sh.open(t)
	return sh
}

func (s sharing) open(t *testing.T) splits.ShareOpened {
	t.Helper()
	opened := s.shares.Open(t.Context(), []splits.ShareOpen{{Split: testSplit}})[0]
	require.NoError(t, opened.Err)
	return opened
}

// read delivers entries of testSplit to a member.
func (s sharing) read(t *testing.T, member string, count int) splits.Delivered {
	t.Helper()
	request := splits.ShareRead{Member: member, Splits: []splits.Split{testSplit}, Count: count}
	delivered, err := s.shares.Read(t.Context(), request)
	require.NoError(t, err)
	require.NoError(t, delivered[0].Err)
	return delivered[0]
}

func (s sharing) acknowledge(t *testing.T, d splits.Delivered) error {
	t.Helper()
	ack := splits.ShareAck{Split: testSplit, Generation: d.Generation}
	for _, e := range d.Entries {
		ack.Offsets = append(ack.Offsets, e.Offset)
	}
	return s.shares.Acknowledge(t.Context(), []splits.ShareAck{ack})[0].Err
}

func TestDescribeGroupReportsWhatAShareGroupHasPending(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		sh := s.sharing(t, "m1")
		require.NoError(t, sh.acknowledge(t, sh.read(t, "m1", 1)))
		sh.read(t, "m1", 1)
		sh.read(t, "gone", 1)
		require.NoError(t, s.Client.XGroupCreateConsumer(t.Context(), testSplit.Key, "sharers", "celery").Err())

		d, err := New(s.Client).DescribeGroup(t.Context(), "orders", "sharers")
		require.NoError(t, err)
		assert.Equal(t, broker.ShareGroup, d.Type)
		assert.Equal(t, []string{"m1"}, d.Members)
		assert.ElementsMatch(t, []GroupConsumer{
			{Name: "celery", State: ConsumerForeign},
			{Name: "gone", State: ConsumerDead, Pending: 1},
			{Name: "m1", State: ConsumerLive, Pending: 1},
		}, d.Consumers)
		p := d.Partitions[3]
		require.NotNil(t, p.Share)
		oldest := splits.Offset{Millis: 13}
		assert.Equal(t, SharePartition{Pending: 2, Oldest: &oldest, Deliveries: 1}, *p.Share)
		assert.Equal(t, "12-18446744073709551615", p.Committed.String())
		assert.InDelta(t, time.Duration(s.Now(t)-13)*time.Millisecond, p.Age, float64(5*time.Second))
		if !s.Embedded { // the embedded server does not know the lag
			assert.EqualValues(t, 1, p.Lag)
		}
		assert.Equal(t, &SharePartition{}, d.Partitions[0].Share, "the stream does not exist")
	})
}

func TestShareGroupWithoutAKnownLagReportsABound(t *testing.T) {
	s := onRedis(t)
	sh := s.sharing(t, "m1")
	sh.read(t, "m1", 1)
	require.NoError(t, s.Client.XDel(t.Context(), testSplit.Key, "14-0").Err()) // Redis does not know the lag now
	d, err := New(s.Client).DescribeGroup(t.Context(), "orders", "sharers")
	require.NoError(t, err)
	assert.False(t, d.Partitions[3].LagExact)
	assert.GreaterOrEqual(t, d.Partitions[3].Lag, int64(2))
}

func TestLiveStaticMemberOfAShareGroupIsRecognized(t *testing.T) {
	s := onRedis(t)
	sh := s.sharing(t)
	owner, err := sh.group.Enroll(t.Context(), "rafka/a", "x")
	require.NoError(t, err)
	_, err = sh.group.Beat(t.Context(), splits.ShareBeat{Member: "rafka/a", Owner: owner, TTL: time.Minute})
	require.NoError(t, err)
	sh.read(t, owner, 1)
	d, err := New(s.Client).DescribeGroup(t.Context(), "orders", "sharers")
	require.NoError(t, err)
	assert.Equal(t, []GroupConsumer{{Name: owner, State: ConsumerLive, Pending: 1}}, d.Consumers)
}

func TestShareGroupIsReadableJSON(t *testing.T) {
	text, err := json.Marshal(SharePartition{Pending: 2, Oldest: &splits.Offset{Millis: 5}, Deliveries: 3})
	require.NoError(t, err)
	assert.JSONEq(t, `{"pending": 2, "oldest_pending": "5-0", "deliveries": 3}`, string(text))
}

// The group key can be evicted: the group must still be found, or nothing could remove it.
func TestShareGroupIsKnownWithoutItsOwnKey(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.sharing(t)
		require.NoError(t, s.Client.Del(t.Context(), keys.Plan("orders", "sharers")).Err())
		d, err := New(s.Client).DescribeGroup(t.Context(), "orders", "sharers")
		require.NoError(t, err)
		assert.Equal(t, broker.ShareGroup, d.Type)
		deleted, err := New(s.Client).DeleteGroup(t.Context(), "orders", "sharers", false)
		require.NoError(t, err)
		assert.Len(t, deleted.Partitions, 1)
		assert.Empty(t, s.Client.XInfoGroups(t.Context(), testSplit.Key).Val())
		assert.Zero(t, s.Client.Exists(t.Context(), keys.Share(testSplit.Key, "sharers")).Val())
		_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "sharers", false)
		assert.ErrorAs(t, err, new(*GroupNotFoundError))
	})
}
