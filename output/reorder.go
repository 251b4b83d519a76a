package output

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/broker"
)

// The metadata of a rafka input that identifies the source of a message.
const (
	sourceTopic      = ownMetadata + "topic"
	sourcePartition  = ownMetadata + "partition"
	sourceOffset     = ownMetadata + "offset"
	sourceDeliveries = ownMetadata + "delivery_count"
)

// Limits of what a reorderDetector remembers. Messages out of order that it has forgotten are not
// counted, so the count is a lower bound.
const (
	orderSources = 512
	// orderSeen is the number of remembered messages per partition. An ordered input has one batch
	// of a partition in the pipeline, so messages are not further apart than its batch_size.
	orderSeen = 1024
	orderKeys = 1 << 14
)

// reorderDetector finds messages of a rafka input that reach the output after a later message of
// the same partition and key. Its memory is bounded, and allocated with the first such message. It
// is safe for concurrent use.
type reorderDetector struct {
	seed maphash.Seed

	mu      sync.Mutex
	sources *simplelru.LRU[source, *readPass]
	// last has the highest offset of each key, by the hash of the read pass and the key. A key
	// replaces another key with the same slot.
	last []lastOfKey
	// passes is the number of read passes so far.
	passes uint64
	// from and current are the partition and the read pass of the last message. The next message is
	// often of the same partition.
	from    source
	current *readPass
}

// source is a partition that messages come from.
type source struct {
	topic     string
	partition int
}

// readPass is one pass of a group over a partition. A new pass begins when the group is moved back
// and the partition is read again.
type readPass struct {
	number uint64
	// seen has the last offsets, in a ring buffer.
	seen []offset
	next int
}

type offset struct{ millis, seq uint64 }

func (o offset) compare(p offset) int {
	return cmp.Or(cmp.Compare(o.millis, p.millis), cmp.Compare(o.seq, p.seq))
}

func (o offset) String() string {
	return strconv.FormatUint(o.millis, 10) + "-" + strconv.FormatUint(o.seq, 10)
}

type lastOfKey struct {
	hash   uint64
	offset offset
}

// reordered is a message that arrived after a later one.
type reordered struct {
	source
	offset, later offset
}

func newReorderDetector() *reorderDetector { return &reorderDetector{seed: maphash.MakeSeed()} }

// check records the messages of a batch and returns those that are out of order.
func (o *reorderDetector) check(batch service.MessageBatch) (late []reordered) {
	locked := false
	for _, msg := range batch {
		from, at, key, ok := origin(msg)
		if !ok {
			continue
		}
		if !locked {
			o.mu.Lock()
			defer o.mu.Unlock()
			locked = true
		}
		if from != o.from || o.current == nil {
			o.from, o.current = from, o.currentPass(from)
		}
		later, behind := o.track(o.current, at, key)
		if !behind {
			continue
		}
		// a rejected message is delivered again, after later ones
		if deliveries, _ := msg.MetaGetMut(sourceDeliveries); deliveries == 1 {
			late = append(late, reordered{from, at, later})
		}
	}
	return late
}

// origin returns the source of a message from its metadata. ok is false for a message without a
// key, which has no order to keep, and for a message that is not from a rafka input.
func origin(msg *service.Message) (from source, at offset, key string, ok bool) {
	value, ok := msg.MetaGetMut(broker.KeyField)
	if !ok {
		return from, at, "", false
	}
	key, isText := value.(string)
	topic, _ := msg.MetaGetMut(sourceTopic)
	partition, _ := msg.MetaGetMut(sourcePartition)
	id, _ := msg.MetaGetMut(sourceOffset)
	text, _ := id.(string)
	var hasTopic, hasPartition bool
	from.topic, hasTopic = topic.(string)
	from.partition, hasPartition = partition.(int)
	millis, seq, _ := strings.Cut(text, "-")
	var err, err2 error
	at.millis, err = strconv.ParseUint(millis, 10, 64)
	at.seq, err2 = strconv.ParseUint(seq, 10, 64)
	return from, at, key, isText && hasTopic && hasPartition && err == nil && err2 == nil
}

// track records a message. If a later message of its key came before it, track returns the offset
// of that message.
func (o *reorderDetector) track(p *readPass, at offset, key string) (later offset, behind bool) {
	last := o.lastOf(p, key)
	if c := at.compare(last.offset); c < 0 {
		switch {
		case p.has(at):
			return offset{}, false // it was delivered again, for example by the next member of the group
		case p.restarts(at):
			o.restart(p)
			last = o.lastOf(p, key)
		default:
			p.add(at)
			return last.offset, true
		}
	}
	last.offset = at
	p.add(at)
	return offset{}, false
}

func (o *reorderDetector) currentPass(from source) *readPass {
	if o.sources == nil {
		sources, err := simplelru.NewLRU[source, *readPass](orderSources, nil)
		if err != nil {
			panic(err) // the size is a constant above zero
		}
		o.sources, o.last = sources, make([]lastOfKey, orderKeys)
	}
	p, ok := o.sources.Get(from)
	if !ok {
		p = &readPass{}
		o.restart(p)
		o.sources.Add(from, p)
	}
	return p
}

// restart begins a new pass.
func (o *reorderDetector) restart(p *readPass) {
	o.passes++
	*p = readPass{number: o.passes, seen: p.seen[:0]}
}

// lastOf returns the slot of a key. It empties the slot if that was used by another key.
func (o *reorderDetector) lastOf(p *readPass, key string) *lastOfKey {
	hash := maphash.String(o.seed, key) ^ p.number*0x9e3779b97f4a7c15 // spreads the numbers over all bits
	slot := &o.last[hash%orderKeys]
	if slot.hash != hash {
		*slot = lastOfKey{hash: hash}
	}
	return slot
}

func (p *readPass) add(at offset) {
	if len(p.seen) < orderSeen {
		p.seen = append(p.seen, at)
		return
	}
	p.seen[p.next] = at
	p.next = (p.next + 1) % orderSeen
}

func (p *readPass) has(at offset) bool {
	return slices.Contains(p.seen, at)
}

// restarts reports whether the offset is below all remembered offsets, and some offsets were
// forgotten. Then the partition is being read again from there, after a seek of the group or in
// another member.
func (p *readPass) restarts(at offset) bool {
	if len(p.seen) < orderSeen {
		return false
	}
	for _, seen := range p.seen {
		if seen.compare(at) < 0 {
			return false
		}
	}
	return true
}
