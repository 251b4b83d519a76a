package admin

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// answersOf returns the errors of all requests under a lease that has ended, except the release: no
// member uses its reply.
func answersOf(t *testing.T, l *broker.Leases, lease splits.Lease) []error {
	t.Helper()
	return []error{
		l.Renew(t.Context(), testTTL, []splits.Lease{lease})[0],
		l.Commit(t.Context(), testTTL, []splits.Commit{{Lease: lease, Position: position(15, 0, 6)}})[0],
		l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease}),
	}
}

func requireCause(t *testing.T, l *broker.Leases, lease splits.Lease, cause error) {
	t.Helper()
	for _, err := range answersOf(t, l, lease) {
		require.ErrorIs(t, err, splits.ErrFenced)
		for _, other := range []error{splits.ErrMoved, splits.ErrSkipped, splits.ErrDeleted} {
			assert.Equal(t, errors.Is(cause, other), errors.Is(err, other), "%v", err)
		}
	}
}

func TestRequestsUnderAMovedLeaseReportTheMove(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		s.sought(t, "13")
		requireCause(t, l, lease, splits.ErrMoved)
		s.sought(t, "12") // before the member claims again
		requireCause(t, l, lease, splits.ErrMoved)
		next, g := granted(t, l, "m2")
		assert.Zero(t, g.Deleted)
		requireCause(t, l, lease, splits.ErrMoved) // the request can arrive late

		granted(t, l, "m2") // a takeover
		requireCause(t, l, next, nil)
		s.sought(t, "11")
		requireCause(t, l, next, nil)
		requireCause(t, l, lease, nil)
	})
}

func TestSeekOfAReleasedLeaseLeavesNoMark(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		require.NoError(t, l.Release(t.Context(), []splits.Lease{lease})[0])
		s.sought(t, "13")
		assert.Empty(t, s.Field(t, testLease, "moved"))
		requireCause(t, l, lease, nil)
	})
}

func TestRequestsUnderADeletedLeaseReportTheDeletion(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, s testServer){
		"immediately":  func(*testing.T, testServer) {},
		"after a move": func(t *testing.T, s testServer) { t.Helper(); s.sought(t, "13") },
	} {
		t.Run(name, func(t *testing.T) {
			onBothServers(t, func(t *testing.T, s testServer) {
				s.fill(t)
				l := s.leases()
				lease, _ := granted(t, l, "m1")
				before(t, s)
				_, err := New(s.Client).DeleteTopic(t.Context(), TopicDeletion{Topic: "orders", Force: true})
				require.NoError(t, err)
				requireCause(t, l, lease, splits.ErrDeleted)
				ttl := s.Client.PTTL(t.Context(), testLease).Val()
				assert.Positive(t, ttl)
				assert.LessOrEqual(t, ttl, time.Hour)
				next, g := granted(t, l, "m1")
				assert.Equal(t, lease.Epoch, g.Deleted)
				assert.Equal(t, splits.Position{}, g.Position, "the new lease has no position")
				requireCause(t, l, lease, splits.ErrDeleted)
				require.NoError(t, l.Renew(t.Context(), testTTL, []splits.Lease{next})[0])
			})
		})
	}
}

func TestDeleteTopicLeavesNoMarkOfReleasedLeases(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		l := s.leases()
		granted(t, l, "m1")
		s.sought(t, "13")
		lease, _ := granted(t, l, "m1")
		require.NoError(t, l.Release(t.Context(), []splits.Lease{lease})[0])
		_, err := New(s.Client).DeleteTopic(t.Context(), TopicDeletion{Topic: "orders", Force: true})
		require.NoError(t, err)
		assert.Empty(t, keysOf(t, s.Client))
	})
}
