package input

import (
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// kept counts the messages that were acknowledged and not deleted since that was last logged.
type kept struct {
	mu       sync.Mutex
	messages int
	logged   time.Time
}

// add counts messages. It returns the number of messages since the last log line, or 0 if the next
// line is not due yet.
func (k *kept) add(n int, now time.Time) (since int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.messages += n
	if !k.logged.IsZero() && now.Sub(k.logged) < remindEvery {
		return 0
	}
	since, k.messages, k.logged = k.messages, 0, now
	return since
}

// Kept counts messages that are acknowledged and not deleted, and logs at most once a minute why.
func (o *observer) Kept(s splits.Split, n int, why error) {
	o.keptEntries.Incr(int64(n), o.labels(s)...)
	if since := o.kept.add(n, time.Now()); since > 0 {
		o.log.Warnf("%s: acknowledged messages of topic %s stay in the stream (%d, the last one of them in partition "+
			"%s): %v", fieldDeleteOnAck, o.topic, since, s, o.named(why))
	}
}
