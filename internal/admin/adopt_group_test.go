package admin

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// oldGroup adds a Redis consumer group to a stream that has delivered n entries to the consumer
// "dead" eleven minutes ago. The first acked of them are acknowledged.
func (s testServer) oldGroup(t *testing.T, stream, group string, n, acked int) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, s.Client.XGroupCreateMkStream(ctx, stream, group, "0").Err())
	if n == 0 {
		return
	}
	read, err := s.Client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: "dead", Streams: []string{stream, ">"}, Count: int64(n), Block: -1,
	}).Result()
	require.NoError(t, err)
	for _, m := range read[0].Messages[:acked] {
		require.NoError(t, s.Client.XAck(ctx, stream, group, m.ID).Err())
	}
	redistest.Age(t, s.Client, stream, 11*time.Minute)
}

// withOldGroup creates a topic of two partitions with the entries 1-0 to 5-0 each, and a Redis
// consumer group on both.
func (s testServer) withOldGroup(t *testing.T, group string) {
	t.Helper()
	s.partitioned(t, 2)
	for p := range 2 {
		stream := fmt.Sprintf("orders:%d", p)
		for i := range 5 {
			s.Add(t, stream, fmt.Sprintf("%d-0", i+1))
		}
		s.oldGroup(t, stream, group, 3, 1)
	}
}

func (s testServer) adopt(t *testing.T, adoption Adoption) (AdoptResult, error) {
	t.Helper()
	adoption.Topic = "orders"
	if adoption.Group == "" {
		adoption.Group = "billing"
	}
	return New(s.Client).AdoptGroup(t.Context(), adoption)
}

func TestAdoptBeginsWithWhatIsPending(t *testing.T) {
	s := onRedis(t)
	s.withOldGroup(t, "billing")
	before := keysOf(t, s.Client)
	result, err := s.adopt(t, Adoption{DryRun: true})
	require.NoError(t, err)
	require.Len(t, result.Partitions, 2)
	for _, p := range result.Partitions {
		assert.Equal(t, splits.Offset{Millis: 3}, p.Offset)
		assert.EqualValues(t, 2, p.Pending)
		assert.EqualValues(t, 1, p.Consumers)
		assert.EqualValues(t, 4, p.Lag)
		assert.False(t, p.LagExact, "after a start in the middle it is a bound")
		assert.False(t, p.Again)
	}
	assert.ElementsMatch(t, before, keysOf(t, s.Client), "a dry run changes nothing")

	_, err = s.adopt(t, Adoption{})
	require.NoError(t, err)
	lease := keys.Lease("orders:0", "billing")
	assert.Equal(t, "billing", s.Field(t, lease, "adopting"))
	assert.Equal(t, time.Duration(-1), s.Client.PTTL(t.Context(), lease).Val())
	result, err = s.adopt(t, Adoption{})
	require.NoError(t, err)
	assert.True(t, result.Partitions[1].Again, "the call can be repeated")
	assert.EqualValues(t, 2, result.Partitions[1].Pending)

	_, err = s.group().Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
	require.NoError(t, err)
	described, err := New(s.Client).DescribeGroup(t.Context(), "orders", "billing")
	require.NoError(t, err)
	assert.Equal(t, "billing", described.Partitions[1].Adopting)

	claims := []splits.Claim{{Split: broker.PartitionSplit("orders", 0), Start: splits.Latest()}}
	g := s.leases().Claim(t.Context(), "m1", testTTL, claims)[0]
	require.NoError(t, g.Err)
	assert.Equal(t, "billing", g.Adopting)
	assert.Equal(t, splits.Offset{Millis: 3}, g.Position.Offset)
}

// settle claims partition 0 and acknowledges everything that is pending.
func (s testServer) settle(t *testing.T) {
	t.Helper()
	split := broker.PartitionSplit("orders", 0)
	g := s.leases().Claim(t.Context(), "m1", testTTL, []splits.Claim{{Split: split}})[0]
	require.NoError(t, g.Err)
	settled := broker.NewAdoptions(s.Client, s.Client, "billing", false).Settle(t.Context(), []splits.Settlement{{
		Lease:  splits.Lease{Split: split, Member: "m1", Epoch: g.Epoch},
		Done:   []splits.Offset{{Millis: 2}, {Millis: 3}},
		Behind: g.Position.Offset,
	}})
	require.Equal(t, []splits.Settled{{}}, settled)
}

func TestAdoptFromAnotherNameKeepsOrRemovesThatGroup(t *testing.T) {
	for name, remove := range map[string]bool{"keep": false, "remove": true} {
		t.Run(name, func(t *testing.T) {
			s := onRedis(t)
			s.withOldGroup(t, "workers")
			result, err := s.adopt(t, Adoption{From: "workers", Remove: remove})
			require.NoError(t, err)
			assert.Equal(t, "workers", result.From)
			s.settle(t)
			names := map[string]string{}
			for _, g := range s.Client.XInfoGroups(t.Context(), "orders:0").Val() {
				names[g.Name] = g.LastDeliveredID
			}
			want := map[string]string{"billing": "3-0", "workers": "3-0"}
			if remove {
				delete(want, "workers")
			}
			assert.Equal(t, want, names)
			exists := s.Client.HExists(t.Context(), keys.Lease("orders:0", "billing"), "adopting_removes").Val()
			assert.False(t, exists)
		})
	}
}

func TestAdoptIsRefusedWithARemedy(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, s testServer)
		from    string
		reason  broker.AdoptionReason
		says    string
	}{
		"a partition has no such group": {
			func(t *testing.T, s testServer) {
				require.NoError(t, s.Client.XGroupDestroy(t.Context(), "orders:1", "billing").Err())
			}, "", broker.AdoptionNoGroup, "XGROUP CREATE orders:1 billing 0 MKSTREAM",
		},
		"a partition has no stream": {
			func(t *testing.T, s testServer) { require.NoError(t, s.Client.Del(t.Context(), "orders:1").Err()) },
			"", broker.AdoptionNoGroup, "stream orders:1 has no Redis consumer group billing",
		},
		"the group is in use": {
			func(t *testing.T, s testServer) {
				require.NoError(t, s.Client.XGroupSetID(t.Context(), "orders:1", "billing", "4-0").Err())
				_, err := s.Client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
					Group: "billing", Consumer: "alive", Streams: []string{"orders:1", ">"}, Block: -1,
				}).Result()
				require.NoError(t, err)
			}, "", broker.AdoptionActive, `its consumer "alive" received something 0s ago. Stop all its readers`,
		},
		"the group has offsets": {
			func(t *testing.T, s testServer) { s.Set(t, keys.Lease("orders:1", "billing"), "offset", "2-0") },
			"", broker.AdoptionStarted, "rafka group delete",
		},
		"the other group is of rafka": {
			func(t *testing.T, s testServer) {
				claims := []splits.Claim{{Split: broker.PartitionSplit("orders", 0)}}
				leases := broker.NewLeases(s.Client, broker.LeasesOptions{Topic: "orders", Group: "audit"})
				require.NoError(t, leases.Claim(t.Context(), "m", testTTL, claims)[0].Err)
			}, "audit", broker.AdoptionMirror, "rafka group seek",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := onRedis(t)
			s.withOldGroup(t, "billing")
			c.prepare(t, s)
			before := keysOf(t, s.Client)
			_, err := s.adopt(t, Adoption{From: c.from})
			require.ErrorContains(t, err, c.says)
			refusal, ok := errors.AsType[*broker.AdoptionError](err)
			require.True(t, ok)
			assert.Equal(t, c.reason, refusal.Reason)
			assert.ElementsMatch(t, before, keysOf(t, s.Client), "nothing is changed, not even in other partitions")
		})
	}
}

func TestAdoptOfAMissingTopicIsAnError(t *testing.T) {
	s := onRedis(t)
	_, err := s.adopt(t, Adoption{})
	require.ErrorAs(t, err, new(*TopicNotFoundError))
}

func TestSeekDuringAnAdoptionKeepsIt(t *testing.T) {
	s := onRedis(t)
	s.withOldGroup(t, "billing")
	_, err := s.adopt(t, Adoption{})
	require.NoError(t, err)
	_, err = New(s.Client).SeekGroup(t.Context(), Seek{Topic: "orders", Group: "billing", To: "latest"})
	require.NoError(t, err)
	lease := keys.Lease("orders:0", "billing")
	assert.Equal(t, "billing", s.Field(t, lease, "adopting"))
	assert.Equal(t, time.Duration(-1), s.Client.PTTL(t.Context(), lease).Val())
	groups := s.Client.XInfoGroups(t.Context(), "orders:0").Val()
	assert.Equal(t, "3-0", groups[0].LastDeliveredID, "the old group is not moved")
	assert.EqualValues(t, 2, groups[0].Pending)
}

func TestDeleteEndsAnAdoptionAndKeepsTheRedisGroup(t *testing.T) {
	s := onRedis(t)
	s.withOldGroup(t, "billing")
	before := keysOf(t, s.Client)
	_, err := s.adopt(t, Adoption{})
	require.NoError(t, err)
	_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
	require.NoError(t, err)
	assert.ElementsMatch(t, before, keysOf(t, s.Client))
	assert.EqualValues(t, 2, s.Client.XInfoGroups(t.Context(), "orders:0").Val()[0].Pending)
}

func TestWaitingReadersAreThoseInXREADGROUP(t *testing.T) {
	for line, want := range map[string]string{
		"id=5 addr=127.0.0.1:1 laddr=x name=worker flags=b cmd=xreadgroup user=default": "127.0.0.1:1 worker",
		"id=5 addr=127.0.0.1:1 name= flags=b cmd=xreadgroup":                            "127.0.0.1:1",
		"id=5 addr=127.0.0.1:1 name=w flags=N cmd=xreadgroup":                           "",
		"id=5 addr=127.0.0.1:1 name=w flags=b cmd=xread":                                "",
		"": "",
	} {
		assert.Equal(t, want, waitingReader(line), line)
	}
}
