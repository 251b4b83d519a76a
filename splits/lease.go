package splits

import "time"

// Lease is the right of one member to hand out and commit one split, as far as this process can
// know. The store holds the truth; the fence of the epoch keeps a mistaken belief harmless.
type Lease struct {
	Split Split
	// Member is the owner: a member, or an incarnation of a static one.
	Member string
	Epoch  uint64
	// TrustedUntil is when the last successful renewal was *sent*, plus the ttl, less a margin:
	// until then no other member can have been granted the split. Stores ignore it.
	TrustedUntil time.Time
}

// leaseMargin is the part of the ttl by which a member stops trusting its own lease before the
// store would end it.
const leaseMargin = 10

// trustedUntil computes how long a lease may be trusted whose renewal was sent at the given time.
func trustedUntil(sent time.Time, ttl time.Duration) time.Time {
	return sent.Add(ttl - ttl/leaseMargin)
}

// Trusted reports whether the lease may still be acted on. Both clocks must agree: the monotonic
// one does not see the time in which the machine was suspended, the wall clock may have been set
// back.
func (l Lease) Trusted(now time.Time) bool {
	return now.Before(l.TrustedUntil) && now.Round(0).Before(l.TrustedUntil.Round(0))
}
