// Package splitstest tests stores and what is built on them. Store is the reference implementation
// of the interfaces of package splits, in memory. Faults injects faults into any implementation.
// TestStore is the suite that every implementation passes.
package splitstest

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Store keeps topics, streams, groups and leases in memory, with the semantics of the Redis
// scripts: see the comments of splits.Group, splits.Leases and splits.Streams. Group, Leases and
// Streams return the implementations, which share its state. Its other methods are for tests, which
// fill, damage and inspect it. All methods are safe for concurrent use.
//
// Its clock is time.Now, in whole milliseconds, so that it follows the simulated time of
// testing/synctest; StepClock sets it forward or back. All waiting is on channels, so waiting calls
// are durably blocked there.
type Store struct {
	mu      sync.Mutex
	step    time.Duration                           // by which the clock differs from time.Now
	state   *state                                  // what a server would store
	broken  map[string]error                        // stream keys that cannot be read
	readers map[string]map[chan struct{}]struct{}   // blocked reads by stream key
	hints   map[groupKey]map[chan struct{}]struct{} // subscriptions of Wake
}

// state is what Snapshot copies and FlushAll empties.
type state struct {
	partitions map[string]int // of the topics that have metadata
	streams    map[string]*stream
	groups     map[groupKey]*groupRecord
	registry   map[groupKey]bool // the groups that have beaten: see registry.go
	leases     map[leaseKey]leaseRecord
	failing    map[leaseKey]attempts
	foreign    map[leaseKey]*foreignGroup
	shares     map[leaseKey]shareMark
	poison     map[leaseKey]*sharePoison
	deleted    map[leaseKey]uint64 // epochs of leases that were deleted with their topic
	producers  map[producerKey]producerState
}

type groupKey struct{ topic, group string }

type leaseKey struct{ group, stream string }

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{
		state:   newState(),
		broken:  map[string]error{},
		readers: map[string]map[chan struct{}]struct{}{},
		hints:   map[groupKey]map[chan struct{}]struct{}{},
	}
}

func newState() *state {
	return &state{
		partitions: map[string]int{},
		streams:    map[string]*stream{},
		groups:     map[groupKey]*groupRecord{},
		registry:   map[groupKey]bool{},
		leases:     map[leaseKey]leaseRecord{},
		failing:    map[leaseKey]attempts{},
		foreign:    map[leaseKey]*foreignGroup{},
		shares:     map[leaseKey]shareMark{},
		poison:     map[leaseKey]*sharePoison{},
		deleted:    map[leaseKey]uint64{},
		producers:  map[producerKey]producerState{},
	}
}

func (s *state) clone() *state {
	c := &state{
		partitions: maps.Clone(s.partitions),
		streams:    make(map[string]*stream, len(s.streams)),
		groups:     make(map[groupKey]*groupRecord, len(s.groups)),
		registry:   maps.Clone(s.registry),
		leases:     maps.Clone(s.leases),
		failing:    make(map[leaseKey]attempts, len(s.failing)),
		foreign:    make(map[leaseKey]*foreignGroup, len(s.foreign)),
		shares:     maps.Clone(s.shares),
		poison:     make(map[leaseKey]*sharePoison, len(s.poison)),
		deleted:    maps.Clone(s.deleted),
		producers:  maps.Clone(s.producers),
	}
	for key, st := range s.streams {
		c.streams[key] = st.clone()
	}
	for key, g := range s.groups {
		c.groups[key] = g.clone()
	}
	for key, entries := range s.failing {
		c.failing[key] = maps.Clone(entries)
	}
	for key, g := range s.foreign {
		c.foreign[key] = g.clone()
	}
	for key, p := range s.poison {
		c.poison[key] = p.clone()
	}
	return c
}

// now returns the time of the store in milliseconds. The caller holds mu.
func (s *Store) now() int64 { return time.Now().Add(s.step).UnixMilli() }

// nextNumber returns the next version of a group or epoch of a lease: the time in microseconds.
// While the clock is at least a millisecond behind the last number, it is that number plus a
// pseudo-random step, so that no number comes again after a rollback. The caller holds mu.
func (s *Store) nextNumber(number uint64) uint64 {
	now := uint64(time.Now().Add(s.step).UnixMicro())
	if number < now+1000 {
		return max(now, number+1)
	}
	return number + 1 + now%1_000_000
}

// StepClock moves the clock of the store by d, forward or back, like a correction of a server's
// clock. Steps add up.
func (s *Store) StepClock(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step += d
}

// SetPartitions creates the topic, or sets its number of partitions. It sends no hint: members see
// it at their next beat.
func (s *Store) SetPartitions(topic string, partitions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.partitions[topic] = partitions
}

// Splits returns the splits of the topic in the order of their partitions. A topic that was not
// created has one split, whose key is the topic.
func (s *Store) Splits(topic string) []splits.Split {
	s.mu.Lock()
	defer s.mu.Unlock()
	return splitsOf(topic, s.state.partitions[topic])
}

// Split returns one split of the topic.
func (s *Store) Split(topic string, partition int) splits.Split { return s.Splits(topic)[partition] }

// splitsOf returns the splits of a topic; 0 partitions stands for a plain topic.
func splitsOf(topic string, partitions int) []splits.Split {
	if partitions == 0 {
		return []splits.Split{{Topic: topic, Key: topic}}
	}
	all := make([]splits.Split, partitions)
	for i := range all {
		all[i] = splits.Split{Topic: topic, Partition: i, Key: topic + ":" + strconv.Itoa(i)}
	}
	return all
}

// Append adds an entry to the split's stream, which it creates if necessary, and wakes the reads
// that wait for it. The fields alternate names and values.
func (s *Store) Append(split splits.Split, fields ...string) splits.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stream(split)
	offset := st.next(uint64(s.now()))
	s.add(split, splits.Entry{Offset: offset, Fields: slices.Clone(fields)})
	return offset
}

// AppendAt is Append with a given offset. It returns false if the offset is not behind all earlier
// entries.
func (s *Store) AppendAt(split splits.Split, offset splits.Offset, fields ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stream(split).last.Before(offset) {
		return false
	}
	s.add(split, splits.Entry{Offset: offset, Fields: slices.Clone(fields)})
	return true
}

func (s *Store) add(split splits.Split, entry splits.Entry) {
	s.stream(split).add(entry)
	for reader := range s.readers[split.Key] {
		notify(reader)
	}
}

// stream returns the stream of the split, and creates it if necessary.
func (s *Store) stream(split splits.Split) *stream {
	st := s.state.streams[split.Key]
	if st == nil {
		st = &stream{}
		s.state.streams[split.Key] = st
	}
	return st
}

// TrimBefore removes the entries below the offset, as XTRIM MINID does.
func (s *Store) TrimBefore(split splits.Split, offset splits.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.state.streams[split.Key]; st != nil {
		st.trim(st.search(offset))
	}
}

// TrimTo removes the oldest entries until at most length are left, as XTRIM MAXLEN does.
func (s *Store) TrimTo(split splits.Split, length int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.state.streams[split.Key]; st != nil {
		st.trim(max(0, len(st.entries)-length))
	}
}

// Delete removes one entry, as XDEL does, and reports whether it existed.
func (s *Store) Delete(split splits.Split, offset splits.Offset) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state.streams[split.Key]
	return st != nil && st.delete(offset)
}

// Drop removes the whole stream of the split, as DEL of its key does. Leases and topics stay.
func (s *Store) Drop(split splits.Split) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(split)
}

// drop removes the stream of a split and the foreign groups on it. The caller holds mu.
func (s *Store) drop(split splits.Split) {
	delete(s.state.streams, split.Key)
	maps.DeleteFunc(s.state.foreign, func(k leaseKey, _ *foreignGroup) bool { return k.stream == split.Key })
}

// DropLease removes the lease and the committed position of one split, as an eviction of their key
// does.
func (s *Store) DropLease(group string, split splits.Split) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.leases, leaseKey{group, split.Key})
}

// DropGroup removes the members and the plan of a group, as an eviction of their keys does. Leases
// stay.
func (s *Store) DropGroup(topic, group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.groups, groupKey{topic, group})
}

// Break makes every read of this split fail with the error, like a key of another type or a missing
// permission; nil ends that.
func (s *Store) Break(split splits.Split, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[split.Key] = err
}

// FlushAll removes everything: topics, streams, groups and leases. Subscriptions and blocked reads
// stay.
func (s *Store) FlushAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = newState()
}

// notify leaves a signal in a channel of capacity one, unless there is one already.
func notify(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
