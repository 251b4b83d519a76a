package splits

import (
	"hash/fnv"
	"time"
)

// The shortest and the longest wait before an entry that failed alone is handed out again, and
// after a round in which nothing was accepted.
const (
	minRetryWait = 10 * time.Millisecond
	maxRetryWait = 5 * time.Second
)

// retryWait returns the wait after n failures. It doubles, and a part of it depends on the offset:
// otherwise an output that merges batches of several splits would merge the same entries at every
// attempt, and reject all of them for one bad entry.
func retryWait(n int, at Offset) time.Duration {
	wait := maxRetryWait
	if doublings := n - 1; doublings < 10 {
		wait = min(minRetryWait<<doublings, maxRetryWait)
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(at.String())) // never fails
	_, _ = sum.Write([]byte{byte(n)})
	return wait - time.Duration(uint64(wait)/2*uint64(sum.Sum32())>>32)
}
