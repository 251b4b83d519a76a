package broker

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// underLease returns the errors of a member's requests for a lease that the member holds.
func underLease(t *testing.T, s testServer, lease splits.Lease) []error {
	l := s.leases()
	return []error{
		commit(t, l, lease, 1, 0, 1),
		l.Renew(t.Context(), testTTL, []splits.Lease{lease})[0],
		l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease}),
		l.Release(t.Context(), []splits.Lease{lease})[0],
	}
}

// newWorkErrors returns the errors of requests that begin new work: a claim and a new topic.
func newWorkErrors(t *testing.T, s testServer) []error {
	_, _, createErr := NewTopics(s.Client).Create(t.Context(), "new", 2)
	return []error{claim(t, s.leases(), "m2", splits.Earliest()).Err, createErr}
}

func beatError(t *testing.T, s testServer) error {
	_, err := s.group().Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
	return err
}

func TestErrorNamesAReadOnlyReplica(t *testing.T) {
	s := onRedis(t)
	lease, _ := granted(t, s.leases(), "m2")
	require.NoError(t, s.Client.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
	for _, err := range append(append(underLease(t, s, lease), newWorkErrors(t, s)...), beatError(t, s)) {
		assert.Equal(t, rediserr.ClassTransient, rediserr.Classify(err), "%v", err)
		require.ErrorContains(t, err, "replica")
	}
}

func TestServerOutOfMemoryRejectsOnlyNewWork(t *testing.T) {
	s := onRedis(t)
	require.NoError(t, beatError(t, s))
	lease, _ := granted(t, s.leases(), "m1")
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.NoError(t, beatError(t, s))
	for _, err := range underLease(t, s, lease) {
		require.NoError(t, err)
	}
	granted(t, s.leases(), "m2") // taking over an existing lease does not need more memory
	fresh := splits.Claim{Split: splits.Split{Topic: "orders", Partition: 1, Key: "orders:1"}, Start: splits.Earliest()}
	_, _, createErr := NewTopics(s.Client).Create(t.Context(), "new", 2)
	for _, err := range []error{s.leases().Claim(t.Context(), "m2", testTTL, []splits.Claim{fresh})[0].Err, createErr} {
		assert.Equal(t, rediserr.ClassTransient, rediserr.Classify(err), "%v", err)
		require.ErrorContains(t, err, "maxmemory")
	}
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	require.NoError(t, s.leases().Claim(t.Context(), "m2", testTTL, []splits.Claim{fresh})[0].Err)
}
