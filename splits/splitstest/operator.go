package splitstest

import (
	"maps"

	"github.com/rafka-streams/rafka/splits"
)

// What operators do to a Store on purpose. Members must not mistake it for a loss.

// Seek moves the position of a split and ends its lease, whichever member has it.
func (s *Store) Seek(group string, split splits.Split, to splits.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := leaseKey{group, split.Key}
	r := s.state.leases[key]
	if r.owner != "" {
		r.moved = moved{splits.ErrMoved, r.epoch}
	}
	r.owner, r.expires, r.attempts, r.position, r.finished = "", 0, 0, to, nil
	r.suspect, r.deaths = splits.Suspect{}, nil
	r.epoch = s.nextNumber(r.epoch)
	s.state.leases[key] = r
	delete(s.state.failing, key)
	s.hint(groupKey{split.Topic, group})
}

// DeleteTopic removes a topic with its streams, its leases and its groups.
func (s *Store) DeleteTopic(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, split := range splitsOf(topic, s.state.partitions[topic]) {
		s.drop(split)
		maps.DeleteFunc(
			s.state.failing,
			func(k leaseKey, _ attempts) bool { return k.stream == split.Key },
		)
		for key, r := range s.state.leases {
			if key.stream != split.Key {
				continue
			}
			delete(s.state.leases, key)
			if r.owner != "" && r.expires > s.now() {
				s.state.deleted[key] = r.epoch
			}
		}
	}
	delete(s.state.partitions, topic)
	s.dropRegistry(topic)
	for key := range s.state.groups {
		if key.topic == topic {
			delete(s.state.groups, key)
		}
	}
}

// fence returns the error of a request under a lease that has ended. The caller holds mu.
func (s *Store) fence(key leaseKey, r leaseRecord, epoch uint64) error {
	switch epoch {
	case s.state.deleted[key]:
		return splits.ErrDeleted
	case r.moved.epoch:
		return r.moved.err
	}
	return splits.ErrFenced
}
