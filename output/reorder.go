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

// The metadata of a rafka input that says where a message came from.
const (
	sourceTopic      = ownMetadata + "topic"
	sourcePartition  = ownMetadata + "partition"
	sourceOffset     = ownMetadata + "offset"
	sourceDeliveries = ownMetadata + "delivery_count"
)

// What is remembered to recognise messages that are out of order. What is forgotten is not counted,
// so the count is a lower bound.
const (
	orderSources = 512
	// orderSeen is the number of messages of one partition that are remembered. An ordered input
	// has one batch of a partition in the pipeline, so messages are not further apart than its
	// batch_size.
	orderSeen = 1024
	orderKeys = 1 << 14
)

// reorderDetector recognises messages of a rafka input that reach the output behind a later one of the same
// partition and key. Its memory is bounded, and allocated with the first such message. It is safe
// for concurrent use.
type reorderDetector struct {
	seed maphash.Seed

	mu      sync.Mutex
	sources *simplelru.LRU[source, *readPass]
	// last is, by the hash of passage and key, the highest offset of the key. A key takes the place
	// of another with the same slot.
	last []lastOfKey
	// passes numbers them.
	passes uint64
	// from and current are those of the last message: the next one is often of the same partition.
	from    source
	current *readPass
}

// source is a partition that messages come from.
type source struct {
	topic     string
	partition int
}

// readPass is what came of a partition since its messages were last handed out from an earlier
// offset on.
type readPass struct {
	number uint64
	// seen are the offsets that came last, in a ring.
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

// reordered is a message that came behind a later one.
type reordered struct {
	source
	offset, later offset
}

func newReorderDetector() *reorderDetector { return &reorderDetector{seed: maphash.MakeSeed()} }

// check takes note of a batch and returns the messages that are out of order.
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
		// one that was rejected comes again behind others
		if deliveries, _ := msg.MetaGetMut(sourceDeliveries); deliveries == 1 {
			late = append(late, reordered{from, at, later})
		}
	}
	return late
}

// origin reads from the metadata of a message where it came from. It is not ok for a message
// without key, whose order nothing promises, and for one that does not come from a rafka input.
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

// track takes note of a message and returns the later one that came before it, if there is one.
func (o *reorderDetector) track(p *readPass, at offset, key string) (later offset, behind bool) {
	last := o.lastOf(p, key)
	if c := at.compare(last.offset); c < 0 {
		switch {
		case p.has(at):
			return offset{}, false // it comes again, for example from the next member of the group
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

// restart forgets what came of a partition.
func (o *reorderDetector) restart(p *readPass) {
	o.passes++
	*p = readPass{number: o.passes, seen: p.seen[:0]}
}

// lastOf returns the slot of a key, emptied if another key had it.
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

// restarts reports whether an offset lies before everything that is remembered, of which something
// was forgotten: the partition is read again from there, after a seek of the group or in another
// member.
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
