package splits

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Split is one partition of a topic as a unit of work that can be assigned to a member of a
// consumer group. The three fields together are its identity: Split is comparable and can be the
// key of a map. The zero Split names nothing.
type Split struct {
	// Topic is the topic of the split.
	Topic string
	// Partition is the number of the split within its topic, counted from 0.
	Partition int
	// Key is the key of the stream that holds the entries.
	Key string
}

// ID names the split in logs and on the command line: "orders-3". Two splits can have the same ID
// if their streams have different keys, so compare Splits, not their IDs.
func (s Split) ID() string { return s.Topic + "-" + strconv.Itoa(s.Partition) }

// String returns the ID.
func (s Split) String() string { return s.ID() }

// MarshalText returns topic/partition/key, with topic and key percent-escaped, so that
// UnmarshalText restores the split exactly.
func (s Split) MarshalText() ([]byte, error) {
	return []byte(url.PathEscape(s.Topic) + "/" + strconv.Itoa(s.Partition) + "/" + url.PathEscape(s.Key)), nil
}

// UnmarshalText parses what MarshalText returned.
func (s *Split) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), "/")
	if len(parts) != 3 {
		return fmt.Errorf("split %q: want topic/partition/key", text)
	}
	topic, err := url.PathUnescape(parts[0])
	if err != nil {
		return fmt.Errorf("split %q: topic: %w", text, err)
	}
	partition, err := parsePartition(parts[1])
	if err != nil {
		return fmt.Errorf("split %q: %w", text, err)
	}
	key, err := url.PathUnescape(parts[2])
	if err != nil {
		return fmt.Errorf("split %q: key: %w", text, err)
	}
	*s = Split{Topic: topic, Partition: partition, Key: key}
	return nil
}

func parsePartition(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("partition %q is not a number from 0 upwards", text)
	}
	return n, nil
}

// splitJSON is the JSON form. The ID is for readers, and is ignored by UnmarshalJSON.
type splitJSON struct {
	StreamName  string `json:"stream_name"`
	PartitionID int    `json:"partition_id"`
	ID          string `json:"id"`
	Key         string `json:"key"`
}

// MarshalJSON returns {"stream_name", "partition_id", "id", "key"}.
func (s Split) MarshalJSON() ([]byte, error) {
	return json.Marshal(splitJSON{StreamName: s.Topic, PartitionID: s.Partition, ID: s.ID(), Key: s.Key})
}

// UnmarshalJSON parses what MarshalJSON returned; the id may be missing.
func (s *Split) UnmarshalJSON(data []byte) error {
	var j splitJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("split: %w", err)
	}
	if j.PartitionID < 0 {
		return errors.New("split: partition_id must be 0 or more")
	}
	*s = Split{Topic: j.StreamName, Partition: j.PartitionID, Key: j.Key}
	return nil
}
