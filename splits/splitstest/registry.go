package splitstest

import (
	"errors"
	"fmt"
	"maps"

	"github.com/rafka-streams/rafka/splits"
)

// DropRegistry removes what the store keeps of the names of the groups of a topic, as an eviction of
// that key does. Each beat adds its group again.
func (s *Store) DropRegistry(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropRegistry(topic)
}

// dropRegistry is DropRegistry for a caller that holds mu.
func (s *Store) dropRegistry(topic string) {
	maps.DeleteFunc(s.state.registry, func(k groupKey, _ bool) bool { return k.topic == topic })
}

// CreateNative adds a consumer group of another program to the stream of a split, as XGROUP CREATE
// does.
func (s *Store) CreateNative(group string, split splits.Split) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream(split).setGroup(group, newNativeGroup(splits.Offset{}))
}

// deleteAcknowledged deletes the entries of an acknowledgement, if it asks for that, unless another
// group may read them. It returns why nothing was deleted. The caller holds mu.
func (s *Store) deleteAcknowledged(g *Shares, ack splits.ShareAck) error {
	if !ack.Delete {
		return nil
	}
	if err := s.keptBy(g, ack.Split); err != nil {
		return err
	}
	for _, o := range ack.Offsets {
		s.state.streams[ack.Split.Key].delete(o)
	}
	return nil
}

// keptBy returns why the acknowledged entries of a split must stay. The caller holds mu.
func (s *Store) keptBy(g *Shares, split splits.Split) error {
	record := s.state.groups[groupKey{g.topic, g.group}]
	if record == nil || s.now()-record.lastBeat > record.ttl {
		return errors.New("splitstest: no beat has returned the groups of the topic")
	}
	for key := range s.state.registry {
		if key.topic == g.topic && key.group != g.group {
			return fmt.Errorf("splitstest: group %s reads the topic", key.group)
		}
	}
	for key := range s.state.foreign {
		if key.stream == split.Key && key.group != g.group {
			return fmt.Errorf("splitstest: the stream has the group %s", key.group)
		}
	}
	st := s.state.streams[split.Key]
	if st == nil || st.groups[g.group] == nil {
		return errors.New("splitstest: the stream does not have the group")
	}
	for name := range st.groups {
		if name != g.group {
			return fmt.Errorf("splitstest: the stream has the group %s", name)
		}
	}
	return nil
}
