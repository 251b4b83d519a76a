package splits

import (
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

func TestTrustCountsFromTheSendingOfTheRenewal(t *testing.T) {
	sent := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	lease := Lease{TrustedUntil: trustedUntil(sent, 10*time.Second)}
	assert.Equal(t, sent.Add(9*time.Second), lease.TrustedUntil, "a tenth of the ttl is the margin")
	assert.True(t, lease.Trusted(sent))
	assert.True(t, lease.Trusted(sent.Add(9*time.Second-1)))
	assert.False(t, lease.Trusted(sent.Add(9*time.Second)))
	assert.False(t, lease.Trusted(sent.Add(time.Hour)))
}

func TestNewLeaseIsNotTrusted(t *testing.T) {
	assert.False(t, Lease{}.Trusted(time.Now()))
}

// The answer took 8 of 10 seconds. The store ends the lease 10 seconds after the request reached
// it, which may be at any time since it was sent.
func TestSlowRenewDoesNotExtendTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := time.Now()
		time.Sleep(8 * time.Second)
		lease := Lease{TrustedUntil: trustedUntil(sent, 10*time.Second)}
		assert.True(t, lease.Trusted(time.Now()))
		time.Sleep(time.Second)
		assert.False(t, lease.Trusted(time.Now()))
	})
}

// suspended moves the monotonic clock of a time back relative to the wall clock, like a suspended
// machine: the monotonic clock stops meanwhile. Package time has no function for that: the reading
// is the second word of time.Time.
func suspended(t time.Time, d time.Duration) time.Time {
	*(*int64)(unsafe.Add(unsafe.Pointer(&t), unsafe.Sizeof(uint64(0)))) -= int64(d)
	return t
}

func TestTrustEndsByEitherClock(t *testing.T) {
	granted := time.Now()
	lease := Lease{TrustedUntil: trustedUntil(granted, 10*time.Second)}

	afterSuspension := suspended(granted.Add(20*time.Second), 15*time.Second)
	assert.True(t, afterSuspension.Before(lease.TrustedUntil), "by the monotonic clock there is time left")
	assert.False(t, lease.Trusted(afterSuspension))

	setBack := suspended(granted.Add(5*time.Second), -15*time.Second)
	assert.False(t, setBack.Before(lease.TrustedUntil), "by the monotonic clock there is none")
	assert.False(t, lease.Trusted(setBack))

	assert.True(t, lease.Trusted(suspended(granted.Add(8*time.Second), time.Second)), "both agree")
}
