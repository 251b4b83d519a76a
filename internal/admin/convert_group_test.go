package admin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

func convert(group, to string) Conversion { return Conversion{Topic: "orders", Group: group, To: to} }

func TestConsumerGroupBecomesAShareGroupAtItsPlace(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		beat(t, s.group(), "m1")
		lease, _ := granted(t, s.leases(), "m1")
		require.NoError(t, commit(t, s.leases(), lease, 13, 0, 4))
		a := New(s.Client)
		_, err := a.ConvertGroup(t.Context(), convert("billing", broker.ShareGroup))
		require.ErrorAs(t, err, new(*GroupAliveError))
		require.NoError(t, s.group().Leave(t.Context(), "m1"))
		_, err = a.ConvertGroup(t.Context(), convert("billing", broker.ShareGroup))
		require.ErrorAs(t, err, new(*GroupAliveError), "the lease is alive")
		require.NoError(t, s.leases().Release(t.Context(), []splits.Lease{lease})[0])

		planned := convert("billing", broker.ShareGroup)
		planned.DryRun = true
		_, err = a.ConvertGroup(t.Context(), planned)
		require.NoError(t, err)
		result, err := a.ConvertGroup(t.Context(), convert("billing", broker.ShareGroup))
		require.NoError(t, err)
		assert.Equal(t, "13-0", result.Partitions[3].Offset.String())
		assert.Nil(t, result.Partitions[0].Offset)
		for _, consumer := range s.Client.XInfoConsumers(t.Context(), testSplit.Key, "billing").Val() {
			t.Errorf("the mirror's mark %s is still there", consumer.Name)
		}
		require.ErrorIs(t, commit(t, s.leases(), lease, 15, 0, 6), splits.ErrFenced, "of a member that hung")

		sh := sharing{
			s, broker.NewShareGroup(s.Client, "orders", "billing"),
			broker.NewShares(s.Client, s.Client, broker.SharesOptions{Topic: "orders", Group: "billing"}),
		}
		_, err = sh.group.Beat(t.Context(), splits.ShareBeat{Member: "a", TTL: testTTL})
		require.NoError(t, err)
		sh.open(t)
		delivered := sh.read(t, "a", 9)
		require.Len(t, delivered.Entries, 2)
		assert.Equal(t, splits.Offset{Millis: 14}, delivered.Entries[0].Offset)
		_, err = s.group().Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
		require.ErrorContains(t, err, "rafka group convert billing --topic orders --to consumer --yes")
	})
}

func TestShareGroupBecomesAConsumerGroupWhenNothingIsPending(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		sh := s.sharing(t, "m1")
		first := sh.read(t, "m1", 2) // 12-0 and 13-0
		require.NoError(t, sh.group.Leave(t.Context(), "m1"))
		a := New(s.Client)
		_, err := a.ConvertGroup(t.Context(), convert("sharers", broker.ConsumerGroup))
		require.ErrorAs(t, err, new(*PendingError))
		require.ErrorContains(t, err, "2 entries are pending")
		require.ErrorContains(t, err, "rafka group adopt NEW_GROUP --topic orders --from sharers")
		require.NoError(t, sh.acknowledge(t, first))
		result, err := a.ConvertGroup(t.Context(), convert("sharers", broker.ConsumerGroup))
		require.NoError(t, err)
		assert.Equal(t, "13-0", result.Partitions[3].Offset.String())
		require.ErrorIs(t, sh.acknowledge(t, first), splits.ErrStale)

		leases := broker.NewLeases(s.Client, broker.LeasesOptions{Topic: "orders", Group: "sharers"})
		beat(t, broker.NewGroup(s.Client, "orders", "sharers"), "c1")
		claimed := claim(t, leases, "c1", splits.Earliest())
		require.NoError(t, claimed.Err)
		assert.Equal(t, splits.Offset{Millis: 13}, claimed.Position.Offset)
		consumers := s.Client.XInfoConsumers(t.Context(), testSplit.Key, "sharers").Val()
		require.Len(t, consumers, 1)
		assert.Equal(t, "rafka:mirror", consumers[0].Name)
	})
}

// What is stored of an entry that fails belongs to the consumer group. The share group delivers the
// entry as a new one, even if its dead letter is written.
func TestConversionToAShareGroupForgetsAttempts(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		beat(t, s.group(), "m1")
		lease, _ := granted(t, s.leases(), "m1")
		require.NoError(t, commit(t, s.leases(), lease, 13, 0, 4))
		next := splits.Offset{Millis: 14}
		failing := []splits.Attempted{{Offset: next, Attempts: 4, Lettered: true}}
		require.NoError(t, s.leases().Note(t.Context(), []splits.Note{{Lease: lease, Failing: failing}})[0])
		require.NoError(t, s.leases().Release(t.Context(), []splits.Lease{lease})[0])
		require.NoError(t, s.group().Leave(t.Context(), "m1"))
		_, err := New(s.Client).ConvertGroup(t.Context(), convert("billing", broker.ShareGroup))
		require.NoError(t, err)

		sh := sharing{
			s, broker.NewShareGroup(s.Client, "orders", "billing"),
			broker.NewShares(s.Client, s.Client, broker.SharesOptions{Topic: "orders", Group: "billing"}),
		}
		generation := sh.open(t).Generation
		assert.Equal(t, next, sh.read(t, "a", 1).Entries[0].Offset)
		assert.Empty(t, sh.failing(t, generation, next))
		failing[0] = splits.Attempted{Offset: next, Attempts: 1}
		require.NoError(t, sh.note(t, generation, "a", failing))
		assert.Equal(t, failing, sh.failing(t, generation, next))
	})
}

func TestConversionToAConsumerGroupKeepsNoAttempts(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		sh := s.sharing(t, "m1")
		read := sh.read(t, "m1", 2) // 12-0 and 13-0
		failing := []splits.Attempted{{Offset: read.Entries[0].Offset, Attempts: 4}}
		require.NoError(t, sh.note(t, read.Generation, "m1", failing))
		require.NoError(t, sh.acknowledge(t, read)) // and then the member died
		require.NoError(t, sh.group.Leave(t.Context(), "m1"))
		_, err := New(s.Client).ConvertGroup(t.Context(), convert("sharers", broker.ConsumerGroup))
		require.NoError(t, err)
		leases := broker.NewLeases(s.Client, broker.LeasesOptions{Topic: "orders", Group: "sharers"})
		lease, claimed := granted(t, leases, "c1")
		for _, a := range claimed.Failing {
			assert.False(t, claimed.Position.Offset.Before(a.Offset), "the member removes what the offset has passed")
		}
		passed := []splits.Offset{failing[0].Offset}
		require.NoError(t, leases.Note(t.Context(), []splits.Note{{Lease: lease, Resolved: passed}})[0])
		assert.Empty(t, claim(t, leases, "c1", splits.Earliest()).Failing)
	})
}

func (s sharing) note(t *testing.T, generation uint64, member string, failing []splits.Attempted) error {
	t.Helper()
	note := splits.ShareNote{Split: testSplit, Generation: generation, Member: member, Failing: failing}
	return s.shares.Note(t.Context(), []splits.ShareNote{note})[0]
}

// failing returns what is stored of entries, without their ages.
func (s sharing) failing(t *testing.T, generation uint64, offsets ...splits.Offset) []splits.Attempted {
	t.Helper()
	load := splits.ShareLoad{Split: testSplit, Offsets: offsets, Generation: generation, Bytes: 1}
	loaded, err := s.shares.Load(t.Context(), load)
	require.NoError(t, err)
	for i := range loaded.Failing {
		loaded.Failing[i].Age = 0
	}
	return loaded.Failing
}

// Between two partitions, no input may join: it would begin at its start_offset in some of them.
func TestInterruptedConversionKeepsInputsOutAndCanBeRepeated(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		sh := s.sharing(t, "m1")
		require.NoError(t, sh.acknowledge(t, sh.read(t, "m1", 2)))
		require.NoError(t, sh.group.Leave(t.Context(), "m1"))
		broken := keys.Lease("orders:0", "sharers")
		a := New(s.Client)
		all := broker.Topic{Name: "orders", Partitions: 4}.Splits()
		c := convert("sharers", broker.ConsumerGroup)
		_, err := a.setType(t.Context(), c, broker.Converting)
		require.NoError(t, err)
		_, err = a.convertEach(t.Context(), c, all[3:], false)
		require.NoError(t, err) // and then the command was interrupted

		_, err = sh.group.Beat(t.Context(), splits.ShareBeat{Member: "m2", TTL: testTTL})
		require.ErrorContains(t, err, "is being converted")
		_, err = a.SeekGroup(t.Context(), seekShare("latest", false))
		require.ErrorIs(t, err, errConverting)
		require.NoError(t, s.Client.Set(t.Context(), broken, "x", 0).Err())
		_, err = a.ConvertGroup(t.Context(), c)
		require.ErrorContains(t, err, broken)
		require.NoError(t, s.Client.Del(t.Context(), broken).Err())
		result, err := a.ConvertGroup(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, broker.Converting, result.From)
		assert.Equal(t, "13-0", result.Partitions[3].Offset.String())
		_, err = a.ConvertGroup(t.Context(), c)
		require.ErrorContains(t, err, "consumer group already")

		_, err = a.ConvertGroup(t.Context(), convert("sharers", broker.ShareGroup))
		require.NoError(t, err)
		sh.open(t)
		assert.Len(t, sh.read(t, "m3", 9).Entries, 2)
	})
}

func TestConversionRefusesWhatItWouldDestroy(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		s.fill(t)
		_, err := a.ConvertGroup(t.Context(), convert("nobody", broker.ShareGroup))
		require.ErrorAs(t, err, new(*GroupNotFoundError))
		_, err = a.ConvertGroup(t.Context(), convert("billing", "both"))
		require.ErrorContains(t, err, "set it to consumer or share")
		beat(t, s.group(), "m1")
		require.NoError(t, s.group().Leave(t.Context(), "m1"))
		require.NoError(t, s.Client.XGroupCreate(t.Context(), testSplit.Key, "billing", "0").Err())
		_, err = a.ConvertGroup(t.Context(), convert("billing", broker.ShareGroup))
		require.ErrorContains(t, err, "XGROUP DESTROY")
		require.NoError(t, s.Client.XGroupDestroy(t.Context(), testSplit.Key, "billing").Err())
		s.Set(t, testLease, "offset", "13-0", "adopting", "celery")
		_, err = a.ConvertGroup(t.Context(), convert("billing", broker.ShareGroup))
		require.ErrorContains(t, err, "continues the Redis consumer group celery")
	})
}
