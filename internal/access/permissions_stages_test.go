package access

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// stage is the work of one role on a prepared server, with a plain or partitioned topic.
type stage struct {
	role    Role
	plain   bool
	prepare func(t *testing.T, l scripttest.Limited)
	// try does the work. It returns the warning about missing optional permissions, and the first
	// error.
	try func(ctx context.Context, client *redis.Client) (warning string, err error)
}

var stages = []stage{
	{RoleReader, false, prepareTopic(2), tryReading},
	{RoleReader, true, prepareTopic(0), tryReading},
	{RoleSharer, false, prepareTopic(2), trySharing},
	{RoleSharer, true, prepareTopic(0), trySharing},
	{RoleWriter, false, prepareTopic(-1), tryWriting(2)}, // creates it
	{RoleWriter, true, prepareTopic(0), tryWriting(0)},
	{RoleLetters, false, prepareTopic(2), tryLettering},
	{RoleLetters, true, prepareTopic(0), tryLettering},
	{RoleAdmin, false, prepareTopic(-1), tryCreating},
	{RoleAdmin, false, prepareUse(2), tryDescribing},
	{RoleAdmin, true, prepareUse(0), tryDescribing},
	{RoleAdmin, false, prepareUse(2), tryChanging},
	{RoleAdmin, true, prepareUse(0), tryChanging},
	{RoleAdmin, false, prepareUse(2), tryLetters},
	{RoleAdmin, true, prepareUse(0), tryLetters},
}

// prepareUse is prepareTopic with a second group, which has no members, with the state of a
// producer and with a message ID. For a plain topic, the server also evicts keys that have an
// expiry.
func prepareUse(partitions int) func(t *testing.T, l scripttest.Limited) {
	return func(t *testing.T, l scripttest.Limited) {
		t.Helper()
		prepareTopic(partitions)(t, l)
		ctx := t.Context()
		topic, err := broker.NewTopics(l.Admin).Describe(ctx, "orders")
		require.NoError(t, err)
		group := broker.NewGroup(l.Admin, "orders", "gone")
		_, err = group.Beat(ctx, splits.Beat{Member: "m", TTL: testTTL})
		require.NoError(t, err)
		require.NoError(t, group.Leave(ctx, "m"))
		leases := broker.NewLeases(l.Admin, broker.LeasesOptions{Topic: "orders", Group: "gone"})
		for _, split := range topic.Splits() {
			g := leases.Claim(ctx, "m", testTTL, []splits.Claim{{Split: split, Start: splits.Earliest()}})[0]
			require.NoError(t, g.Err)
			lease := splits.Lease{Split: split, Member: "m", Epoch: g.Epoch}
			failing := []splits.Attempted{{Offset: splits.Offset{Millis: 1}, Attempts: 1}}
			require.NoError(t, leases.Note(ctx, []splits.Note{{Lease: lease, Failing: failing}})[0])
			require.NoError(t, leases.Release(ctx, []splits.Lease{lease})[0])
			require.NoError(t, l.Admin.Set(ctx, keys.Producer(split.Key, "p"), "1:1", 0).Err())
			require.NoError(t, l.Admin.ZAdd(ctx, keys.IDs(split.Key), redis.Z{Score: 1, Member: "id"}).Err())
			require.NoError(t, l.Admin.HSet(ctx, keys.Replayed(split.Key), "5-0", "1").Err())
			letter := broker.Letter{Origin: broker.Origin{Topic: "orders", Offset: "5-0", Group: "billing"}}.Encode()
			require.NoError(t, l.Admin.XAdd(ctx, &redis.XAddArgs{Stream: split.Key, ID: "9-0", Values: letter}).Err())
		}
		prepareSharers(t, l, topic)
		if partitions == 0 {
			require.NoError(t, l.Admin.ConfigSet(ctx, "maxmemory-policy", "volatile-lru").Err())
		}
	}
}

// prepareSharers creates a share group without members, in which an entry of each partition is
// pending.
func prepareSharers(t *testing.T, l scripttest.Limited, topic broker.Topic) {
	t.Helper()
	ctx := t.Context()
	group := broker.NewShareGroup(l.Admin, "orders", "sharers")
	_, err := group.Beat(ctx, splits.ShareBeat{Member: "m", TTL: testTTL})
	require.NoError(t, err)
	require.NoError(t, group.Leave(ctx, "m"))
	shares := broker.NewShares(l.Admin, l.Admin, broker.SharesOptions{Topic: "orders", Group: "sharers"})
	for _, split := range topic.Splits() {
		require.NoError(t, shares.Open(ctx, []splits.ShareOpen{{Split: split, Start: splits.Earliest()}})[0].Err)
		require.NoError(t, l.Admin.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "sharers", Consumer: keys.Consumer("orders", "m"), Streams: []string{split.Key, ">"}, Block: -1,
		}).Err())
	}
}

// prepareTopic creates a topic with the number of partitions, 0 for a plain topic, and a group with
// leases on it. With a negative number it leaves the server empty.
func prepareTopic(partitions int) func(t *testing.T, l scripttest.Limited) {
	return func(t *testing.T, l scripttest.Limited) {
		t.Helper()
		ctx := t.Context()
		require.NoError(t, l.Admin.FlushAll(ctx).Err())
		require.NoError(t, l.Admin.ScriptFlush(ctx).Err())
		require.NoError(t, l.Admin.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
		if partitions < 0 {
			return
		}
		topic := broker.Topic{Name: "orders"}
		if partitions > 0 {
			_, _, err := broker.NewTopics(l.Admin).Create(ctx, "orders", partitions)
			require.NoError(t, err)
			topic.Partitions = partitions
		}
		_, err := broker.NewGroup(l.Admin, "orders", "billing").Beat(ctx, splits.Beat{Member: "m", TTL: testTTL})
		require.NoError(t, err)
		leases := broker.NewLeases(l.Admin, broker.LeasesOptions{Topic: "orders", Group: "billing"})
		for _, split := range topic.Splits() {
			require.NoError(
				t,
				leases.Claim(ctx, "m", testTTL, []splits.Claim{{Split: split, Start: splits.Earliest()}})[0].Err,
			)
			require.NoError(
				t,
				l.Admin.XAdd(ctx, &redis.XAddArgs{Stream: split.Key, ID: "5-0", Values: []string{"body", "x"}}).Err(),
			)
		}
	}
}

func tryReading(ctx context.Context, client *redis.Client) (string, error) {
	err := CheckReader(ctx, client, "orders", "billing")
	return MissingOptionalForReader(ctx, client, "orders", "billing"), err
}

func trySharing(ctx context.Context, client *redis.Client) (string, error) {
	err := CheckSharer(ctx, client, "orders", "billing")
	return MissingOptionalForSharer(ctx, client, "orders", "billing", true), err
}

func tryWriting(partitions int) func(ctx context.Context, client *redis.Client) (string, error) {
	return func(ctx context.Context, client *redis.Client) (string, error) {
		err := CheckWriter(ctx, client, "orders", partitions)
		return MissingOptionalForWriter(ctx, client, "orders", true), err
	}
}

func tryLettering(ctx context.Context, client *redis.Client) (string, error) {
	err := CheckLetters(ctx, client, "orders")
	return MissingOptionalForLetters(ctx, client, "orders"), err
}

func tryChanging(ctx context.Context, client *redis.Client) (string, error) {
	a := admin.New(client)
	errs := make([]error, 11)
	if described, err := broker.NewTopics(client).Describe(ctx, "orders"); err == nil && !described.Plain() {
		_, errs[0] = a.GrowTopic(ctx, "orders", 3)
	}
	keep := QueryEviction(ctx, client).ExpiringKeys
	_, errs[9] = a.SkipEntry(ctx, admin.Skip{Topic: "orders", Group: "billing", Offset: "5-0", KeepUnused: keep})
	_, errs[10] = a.SkipEntry(ctx, admin.Skip{Topic: "orders", Group: "sharers", Offset: "5-0"})
	_, errs[1] = a.SeekGroup(ctx, admin.Seek{Topic: "orders", Group: "billing", To: "earliest", KeepUnused: keep})
	_, errs[2] = a.SeekGroup(ctx, admin.Seek{Topic: "orders", Group: "new", To: "latest", KeepUnused: keep})
	_, errs[3] = a.SeekGroup(ctx, admin.Seek{Topic: "orders", Group: "sharers", To: "latest", KeepUnused: keep})
	_, errs[4] = a.ConvertGroup(
		ctx,
		admin.Conversion{Topic: "orders", Group: "sharers", To: "consumer", KeepUnused: keep},
	)
	_, errs[5] = a.ConvertGroup(ctx, admin.Conversion{Topic: "orders", Group: "sharers", To: "share", KeepUnused: keep})
	_, errs[6] = a.DeleteGroup(ctx, "orders", "gone", false)
	_, errs[7] = a.DeleteGroup(ctx, "orders", "sharers", false)
	_, errs[8] = a.DeleteTopic(ctx, admin.TopicDeletion{Topic: "orders", Force: true})
	return "", NameDenied(ctx, client, firstError(errs))
}

// tryLetters replays and deletes the dead letters of the topic.
func tryLetters(ctx context.Context, client *redis.Client) (string, error) {
	a := admin.New(client)
	scan, err := a.Letters(ctx, admin.LetterQuery{Topic: "orders", Partition: -1, OriginPartition: -1})
	for err == nil {
		var page []admin.DeadLetter
		var done bool
		if page, done, err = scan.Next(ctx); done {
			break
		}
		replay := a.NewLetterReplay()
		replayed := replay.Replay(ctx, page)
		_, purged := a.PurgeLetters(ctx, page)
		err = firstError([]error{err, replay.Err, replayed, purged})
	}
	return "", NameDenied(ctx, client, err)
}

func tryCreating(ctx context.Context, client *redis.Client) (string, error) {
	_, _, err := broker.NewTopics(client).Create(ctx, "orders", 2)
	return "", NameDenied(ctx, client, err)
}

func tryDescribing(ctx context.Context, client *redis.Client) (string, error) {
	a := admin.New(client)
	_, topics := a.ListTopics(ctx)
	_, topic := a.DescribeTopic(ctx, "orders")
	_, groups := a.ListGroups(ctx, "orders")
	_, group := a.DescribeGroup(ctx, "orders", "billing")
	_, share := a.DescribeGroup(ctx, "orders", "sharers")
	return "", NameDenied(ctx, client, firstError([]error{topics, topic, groups, group, share}))
}
