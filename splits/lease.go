package splits

import "time"

// Lease is the right of one member to hand out and commit one split, as far as this process knows.
// The store decides: it checks the epoch, so a wrong belief of the process does no harm.
type Lease struct {
	Split Split
	// Member is the owner: a member, or an incarnation of a static member.
	Member string
	Epoch  uint64
	// TrustedUntil is the time at which the last successful renewal was *sent*, plus the ttl, minus
	// a margin. Until then no other member can have been granted the split. Stores ignore it.
	TrustedUntil time.Time
}

// leaseMargin is the fraction of the ttl by which a member stops trusting its own lease before the
// store ends it: one tenth.
const leaseMargin = 10

// trustedUntil returns how long a lease is trusted if its renewal was sent at the given time.
func trustedUntil(sent time.Time, ttl time.Duration) time.Time {
	return sent.Add(ttl - ttl/leaseMargin)
}

// Trusted reports whether the member can still act on the lease. It checks both clocks: the
// monotonic clock does not advance while the machine is suspended, and the wall clock may have been
// set back.
func (l Lease) Trusted(now time.Time) bool {
	return now.Before(l.TrustedUntil) && now.Round(0).Before(l.TrustedUntil.Round(0))
}
