package output

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxTopics is of how many topics an output keeps what it knows of them. A stream_name with an
	// interpolation may give millions of names.
	maxTopics = 10_000
	// topicIdleTime is how long a topic must not be used before it may be forgotten to make room for
	// the next.
	topicIdleTime = time.Hour
)

// topicCache keeps a value for each of the topics that were used last: at most mostTopics, and none
// that was idle for longer than topicIdle once another one comes. It has no lock.
type topicCache[V any] struct {
	now    func() time.Time
	topics *simplelru.LRU[string, *cacheEntry[V]]
}

type cacheEntry[V any] struct {
	at    time.Time
	value V
}

func newTopicCache[V any](now func() time.Time) *topicCache[V] {
	topics, err := simplelru.NewLRU[string, *cacheEntry[V]](maxTopics, nil)
	if err != nil {
		panic(err) // the size is a constant above zero
	}
	return &topicCache[V]{now: now, topics: topics}
}

// get returns the value of a topic, and whether there is one.
func (r *topicCache[V]) get(topic string) (value V, ok bool) {
	u, ok := r.topics.Get(topic)
	if !ok {
		return value, false
	}
	u.at = r.now()
	return u.value, true
}

// set keeps a value for a topic, and forgets what is idle. One call forgets two topics at most, so
// that none takes long.
func (r *topicCache[V]) set(topic string, value V) {
	now := r.now()
	r.topics.Add(topic, &cacheEntry[V]{now, value})
	for range 2 {
		if _, oldest, ok := r.topics.GetOldest(); !ok || now.Sub(oldest.at) < topicIdleTime {
			return
		}
		r.topics.RemoveOldest()
	}
}
