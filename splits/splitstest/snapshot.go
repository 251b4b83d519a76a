package splitstest

import (
	"maps"

	"github.com/rafka-streams/rafka/splits"
)

// Snapshot is a copy of the state of a Store.
type Snapshot struct{ state *state }

// Snapshot copies the state of the store.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Snapshot{s.state.clone()}
}

// Restore restores the snapshot, like a failover to a replica without the newest writes.
func (s *Store) Restore(snapshot Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = snapshot.state.clone()
}

// RestoreTopic restores the topic's own slot from the snapshot: its number of partitions and its
// groups. On a cluster that can happen to this slot only, as to the slot of a partition: see
// RestoreSplit.
func (s *Store) RestoreTopic(snapshot Snapshot, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.partitions, topic)
	if n, ok := snapshot.state.partitions[topic]; ok {
		s.state.partitions[topic] = n
	}
	restoreKeys(s.state.registry, snapshot.state.registry, func(k groupKey) bool { return k.topic == topic })
	maps.DeleteFunc(s.state.groups, func(k groupKey, _ *groupRecord) bool { return k.topic == topic })
	for key, g := range snapshot.state.groups {
		if key.topic == topic {
			s.state.groups[key] = g.clone()
		}
	}
}

// RestoreSplit restores the slot of one partition from the snapshot: its stream with the foreign
// groups on it, its leases, its failing entries and its producers.
func (s *Store) RestoreSplit(snapshot Snapshot, split splits.Split) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.streams, split.Key)
	if st := snapshot.state.streams[split.Key]; st != nil {
		s.state.streams[split.Key] = st.clone()
	}
	onSplit := func(k leaseKey) bool { return k.stream == split.Key }
	restoreKeys(s.state.foreign, snapshot.state.clone().foreign, onSplit)
	restoreKeys(s.state.leases, snapshot.state.leases, onSplit)
	restoreKeys(s.state.failing, snapshot.state.clone().failing, onSplit)
	restoreKeys(s.state.shares, snapshot.state.shares, onSplit)
	restoreKeys(s.state.poison, snapshot.state.clone().poison, onSplit)
	restoreKeys(s.state.deleted, snapshot.state.deleted, onSplit)
	restoreKeys(s.state.producers, snapshot.state.producers, func(k producerKey) bool { return k.stream == split.Key })
}

// restoreKeys restores the chosen keys of a map.
func restoreKeys[K comparable, V any](now, before map[K]V, chosen func(K) bool) {
	maps.DeleteFunc(now, func(k K, _ V) bool { return chosen(k) })
	for k, v := range before {
		if chosen(k) {
			now[k] = v
		}
	}
}
