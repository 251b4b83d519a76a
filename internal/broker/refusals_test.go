package broker

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// underLease are the errors of what a member does with a lease it has.
func underLease(t *testing.T, s testServer, lease splits.Lease) []error {
	l := s.leases()
	return []error{
		commit(t, l, lease, 1, 0, 1),
		l.Renew(t.Context(), testTTL, []splits.Lease{lease})[0],
		l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease}),
		l.Release(t.Context(), []splits.Lease{lease})[0],
	}
}

// anew are the errors of what needs memory.
func anew(t *testing.T, s testServer) []error {
	_, _, createErr := NewTopics(s.client).Create(t.Context(), "new", 2)
	return []error{claim(t, s.leases(), "m2", splits.Earliest()).Err, createErr}
}

func beatError(t *testing.T, s testServer) error {
	_, err := s.group().Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
	return err
}

func TestMissingPermissionIsNamed(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{client: server.Client(t)}
	lease, _ := granted(t, s.leases(), "m2")
	require.NoError(
		t,
		s.client.Do(t.Context(), "acl", "setuser", "reader", "on", "nopass", "~*", "+@all", "-hset", "-zadd").Err(),
	)
	reader := testServer{client: server.Client(t, func(o *redis.Options) { o.Username, o.Password = "reader", "any" })}
	for _, err := range append(append(underLease(t, reader, lease), anew(t, reader)...), beatError(t, reader)) {
		assert.Equal(t, ClassPermission, Classify(err), "%v", err)
		err = NameDenied(t.Context(), reader.client, err)
		assert.Equal(t, ClassPermission, Classify(err), "%v", err)
		require.ErrorContains(t, err, "may not run HSET", "Redis 7.0 does not say so inside scripts")
		require.ErrorContains(t, err, "needed for rafka:{", "no server names the key")
		require.ErrorContains(t, err, "ACL SETUSER <username> +hset")
	}
	require.ErrorContains(t, NameDenied(t.Context(), reader.client, beatError(t, reader)), "HSET, ZADD")
	require.NoError(t, commit(t, s.leases(), lease, 5, 0, 1), "the lease is as it was")
}

// A batch of calls has the keys of each sorted out.
func TestClosedKeyIsNamed(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{client: server.Client(t)}
	all := Topic{Name: "t", Partitions: 3}.Splits()
	require.NoError(t, s.client.Do(t.Context(), "acl", "setuser", "reader", "on", "nopass",
		"~t:*", "~rafka:{t:0}:*", "~rafka:{t:2}:*", "+@all").Err())
	reader := testServer{client: server.Client(t, func(o *redis.Options) { o.Username, o.Password = "reader", "any" })}
	var claims []splits.Claim
	for _, split := range all {
		claims = append(claims, splits.Claim{Split: split, Start: splits.Earliest()})
	}
	for i, g := range reader.leases().Claim(t.Context(), "m", testTTL, claims) {
		if i != 1 {
			require.NoError(t, g.Err)
			continue
		}
		assert.Equal(t, ClassPermission, Classify(g.Err))
		err := NameDenied(t.Context(), reader.client, g.Err)
		require.ErrorContains(t, err, "claiming partition t-1: ")
		require.ErrorContains(t, err, "may not read and write "+leaseKey("t:1", "billing")+" (")
	}
}

func TestReadOnlyReplicaIsNamed(t *testing.T) {
	s := onRedis(t)
	lease, _ := granted(t, s.leases(), "m2")
	require.NoError(t, s.client.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
	for _, err := range append(append(underLease(t, s, lease), anew(t, s)...), beatError(t, s)) {
		assert.Equal(t, ClassTransient, Classify(err), "%v", err)
		require.ErrorContains(t, err, "replica")
	}
}

func TestServerOutOfMemoryRefusesTheNewAndLetsWorkInHandBeFinished(t *testing.T) {
	s := onRedis(t)
	require.NoError(t, beatError(t, s))
	lease, _ := granted(t, s.leases(), "m1")
	require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.NoError(t, beatError(t, s))
	for _, err := range underLease(t, s, lease) {
		require.NoError(t, err)
	}
	granted(t, s.leases(), "m2") // who takes over what another had needs nothing new
	fresh := splits.Claim{Split: splits.Split{Topic: "orders", Partition: 1, Key: "orders:1"}, Start: splits.Earliest()}
	_, _, createErr := NewTopics(s.client).Create(t.Context(), "new", 2)
	for _, err := range []error{s.leases().Claim(t.Context(), "m2", testTTL, []splits.Claim{fresh})[0].Err, createErr} {
		assert.Equal(t, ClassTransient, Classify(err), "%v", err)
		require.ErrorContains(t, err, "maxmemory")
	}
	require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	require.NoError(t, s.leases().Claim(t.Context(), "m2", testTTL, []splits.Claim{fresh})[0].Err)
}
