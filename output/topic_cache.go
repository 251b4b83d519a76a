package output

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxTopics is the maximum number of topics in a topicCache. A stream_name with an
	// interpolation can have millions of values.
	maxTopics = 10_000
	// topicIdleTime is how long a topic must be unused before the topicCache forgets it.
	topicIdleTime = time.Hour
)

// topicCache keeps a value for each recently used topic: at most maxTopics. When another topic is
// added, it forgets topics that were unused for topicIdleTime. It is not safe for concurrent use.
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

// get returns the value of a topic, and whether the topic has one.
func (r *topicCache[V]) get(topic string) (value V, ok bool) {
	u, ok := r.topics.Get(topic)
	if !ok {
		return value, false
	}
	u.at = r.now()
	return u.value, true
}

// set stores the value of a topic, and forgets at most two idle topics, so that no call takes long.
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
