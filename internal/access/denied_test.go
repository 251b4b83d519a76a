package access

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

const testTTL = 10 * time.Second

// limitedTo returns a client of a user with these rules.
func limitedTo(t *testing.T, server *redistest.Server, rules ...any) *redis.Client {
	t.Helper()
	args := append([]any{"acl", "setuser", "reader", "on", "nopass"}, rules...)
	require.NoError(t, server.Client(t).Do(t.Context(), args...).Err())
	return server.Client(t, func(o *redis.Options) { o.Username, o.Password = "reader", "any" })
}

func leasesOf(client redis.UniversalClient, topic string) *broker.Leases {
	return broker.NewLeases(client, broker.LeasesOptions{Topic: topic, Group: "billing"})
}

func TestMissingPermissionIsNamed(t *testing.T) {
	server := redistest.Start(t)
	ctx := t.Context()
	split := broker.Topic{Name: "orders", Partitions: 4}.Split(3)
	start := []splits.Claim{{Split: split, Start: splits.Earliest()}}
	granted := leasesOf(server.Client(t), "orders").Claim(ctx, "m2", testTTL, start)[0]
	require.NoError(t, granted.Err)
	lease := splits.Lease{Split: split, Member: "m2", Epoch: granted.Epoch}
	at := splits.Commit{
		Lease:     lease,
		Position:  splits.Position{Offset: splits.Offset{Millis: 5}, EntriesRead: 1},
		Accounted: 1,
	}

	client := limitedTo(t, server, "~*", "+@all", "-hset", "-zadd")
	leases := leasesOf(client, "orders")
	_, _, createErr := broker.NewTopics(client).Create(ctx, "new", 2)
	_, beatErr := broker.NewGroup(client, "orders", "billing").Beat(ctx, splits.Beat{Member: "m1", TTL: testTTL})
	for _, err := range []error{
		leases.Commit(ctx, testTTL, []splits.Commit{at})[0],
		leases.Renew(ctx, testTTL, []splits.Lease{lease})[0],
		leases.Reset(ctx, testTTL, splits.Commit{Lease: lease}),
		leases.Release(ctx, []splits.Lease{lease})[0],
		leases.Claim(ctx, "m2", testTTL, start)[0].Err,
		createErr,
		beatErr,
	} {
		assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(err), "%v", err)
		err = NameDenied(ctx, client, err)
		assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(err), "%v", err)
		require.ErrorContains(t, err, "may not run HSET", "Redis 7.0 does not name commands inside scripts")
		require.ErrorContains(t, err, "needed for rafka:{", "no server names the key")
		require.ErrorContains(t, err, "ACL SETUSER <username> +hset")
	}
	require.ErrorContains(t, NameDenied(ctx, client, beatErr), "HSET, ZADD")
	require.NoError(
		t,
		leasesOf(server.Client(t), "orders").Commit(ctx, testTTL, []splits.Commit{at})[0],
		"the lease is unchanged",
	)
}

// In a batch of calls, each error names only the denied keys of its own call.
func TestDeniedKeyIsNamed(t *testing.T) {
	client := limitedTo(t, redistest.Start(t), "~t:*", "~rafka:{t:0}:*", "~rafka:{t:2}:*", "+@all")
	var claims []splits.Claim
	for _, split := range (broker.Topic{Name: "t", Partitions: 3}).Splits() {
		claims = append(claims, splits.Claim{Split: split, Start: splits.Earliest()})
	}
	for i, g := range leasesOf(client, "t").Claim(t.Context(), "m", testTTL, claims) {
		if i != 1 {
			require.NoError(t, g.Err)
			continue
		}
		assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(g.Err))
		err := NameDenied(t.Context(), client, g.Err)
		require.ErrorContains(t, err, "claiming partition t-1: ")
		require.ErrorContains(t, err, "may not read and write "+keys.Lease("t:1", "billing")+" (")
	}
}
