// Package splitstest proves stores and what is built on them. Store is the reference implementation
// of the interfaces of package splits, in memory; Faults wraps any implementation with faults;
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
// scripts: see the comments of splits.Group, splits.Leases and splits.Log. Group, Leases and Log
// hand out the implementations, which share its state; its other methods are for tests, which fill
// it, damage it and look into it. All methods may be called concurrently.
//
// Its clock is time.Now, in whole milliseconds, so that it follows the simulated time of
// testing/synctest; StepClock sets it ahead or back. Waiting happens on channels alone, so that
// waiting calls are durably blocked there.
type Store struct {
	mu      sync.Mutex
	step    time.Duration                           // by which the clock differs from time.Now
	state   *state                                  // all that a server would keep
	broken  map[string]error                        // stream keys that cannot be read
	readers map[string]map[chan struct{}]struct{}   // blocked reads by stream key
	hints   map[groupKey]map[chan struct{}]struct{} // subscriptions of Wake
}

// state is what Snapshot copies and FlushAll empties.
type state struct {
	partitions map[string]int // of the topics that have metadata
	streams    map[string]*stream
	groups     map[groupKey]*groupRecord
	leases     map[leaseKey]leaseRecord
	deleted    map[leaseKey]uint64 // epochs of leases that were deleted with their topic
	producers  map[producerKey]producerState
}

type groupKey struct{ topic, group string }

type leaseKey struct{ group, stream string }

// NewStore makes an empty store.
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
		leases:     map[leaseKey]leaseRecord{},
		deleted:    map[leaseKey]uint64{},
		producers:  map[producerKey]producerState{},
	}
}

func (s *state) clone() *state {
	c := &state{
		partitions: maps.Clone(s.partitions),
		streams:    make(map[string]*stream, len(s.streams)),
		groups:     make(map[groupKey]*groupRecord, len(s.groups)),
		leases:     maps.Clone(s.leases),
		deleted:    maps.Clone(s.deleted),
		producers:  maps.Clone(s.producers),
	}
	for key, st := range s.streams {
		c.streams[key] = st.clone()
	}
	for key, g := range s.groups {
		c.groups[key] = g.clone()
	}
	return c
}

// now is the time of the store in milliseconds. The caller holds mu.
func (s *Store) now() int64 { return time.Now().Add(s.step).UnixMilli() }

// nextNumber is what the version of a group or the epoch of a lease becomes when it changes: the
// time in microseconds, or, while the clock is behind by a millisecond or more, a step ahead that
// is as good as random, so that after a rollback none comes a second time. The caller holds mu.
func (s *Store) nextNumber(number uint64) uint64 {
	now := uint64(time.Now().Add(s.step).UnixMicro())
	if number < now+1000 {
		return max(now, number+1)
	}
	return number + 1 + now%1_000_000
}

// StepClock moves the clock of the store by d, forwards or backwards, as a correction of a server's
// clock does. Steps add up.
func (s *Store) StepClock(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step += d
}

// SetPartitions creates the topic, or sets how many partitions it has. Nobody is told: members see
// it at their next beat.
func (s *Store) SetPartitions(topic string, partitions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.partitions[topic] = partitions
}

// Splits returns the splits of the topic in the order of their partitions: one, whose key is the
// topic, if it was not created.
func (s *Store) Splits(topic string) []splits.Split {
	s.mu.Lock()
	defer s.mu.Unlock()
	return splitsOf(topic, s.state.partitions[topic])
}

// Split returns one split of the topic.
func (s *Store) Split(topic string, partition int) splits.Split { return s.Splits(topic)[partition] }

// splitsOf names the splits of a topic; 0 partitions stands for a plain one.
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

// Append adds an entry to the split's stream, which it creates if need be, and wakes the reads that
// wait for it. The fields alternate names and values.
func (s *Store) Append(split splits.Split, fields ...string) splits.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stream(split)
	offset := st.next(uint64(s.now()))
	s.add(split, splits.Entry{Offset: offset, Fields: slices.Clone(fields)})
	return offset
}

// AppendAt is Append with a given offset, and reports whether that lies behind all that was there
// before.
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

// stream returns the stream of the split, and creates it.
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

// Delete removes one entry, as XDEL does, and reports whether it was there.
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
	delete(s.state.streams, split.Key)
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

// Break lets every read of this one split fail with the error, as a key of another type or a
// missing permission does; nil mends it.
func (s *Store) Break(split splits.Split, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[split.Key] = err
}

// FlushAll removes everything: topics, streams, groups and leases. Subscriptions and blocked reads
// live on.
func (s *Store) FlushAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = newState()
}

// Snapshot is a copy of all that a Store kept at one time.
type Snapshot struct{ state *state }

// Snapshot copies what the store keeps now.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Snapshot{s.state.clone()}
}

// Restore takes the store back to the snapshot, as a failover to a replica does that lacked the
// newest writes.
func (s *Store) Restore(snapshot Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = snapshot.state.clone()
}

// RestoreTopic takes the topic's own shard back to the snapshot: the number of its partitions and
// its groups. On a cluster that can happen alone, as a partition's can: see RestoreSplit.
func (s *Store) RestoreTopic(snapshot Snapshot, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.partitions, topic)
	if n, ok := snapshot.state.partitions[topic]; ok {
		s.state.partitions[topic] = n
	}
	maps.DeleteFunc(s.state.groups, func(k groupKey, _ *groupRecord) bool { return k.topic == topic })
	for key, g := range snapshot.state.groups {
		if key.topic == topic {
			s.state.groups[key] = g.clone()
		}
	}
}

// RestoreSplit takes the shard of one partition back to the snapshot: its stream, its leases and
// what is known of its producers.
func (s *Store) RestoreSplit(snapshot Snapshot, split splits.Split) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.streams, split.Key)
	if st := snapshot.state.streams[split.Key]; st != nil {
		s.state.streams[split.Key] = st.clone()
	}
	restoreKeys(s.state.leases, snapshot.state.leases, func(k leaseKey) bool { return k.stream == split.Key })
	restoreKeys(s.state.deleted, snapshot.state.deleted, func(k leaseKey) bool { return k.stream == split.Key })
	restoreKeys(s.state.producers, snapshot.state.producers, func(k producerKey) bool { return k.stream == split.Key })
}

// restoreKeys makes the chosen keys of a map what they were.
func restoreKeys[K comparable, V any](now, before map[K]V, chosen func(K) bool) {
	maps.DeleteFunc(now, func(k K, _ V) bool { return chosen(k) })
	for k, v := range before {
		if chosen(k) {
			now[k] = v
		}
	}
}

// nudge leaves a signal in a channel of capacity one; a signal that is there already serves as
// well.
func notify(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
