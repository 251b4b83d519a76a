package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// Entry is an entry of a stream.
type Entry struct {
	splits.Entry
	sizes map[int]int // of the values that Cut cut, by their indexes in Fields
}

// Cut returns the entry with at most most bytes of each value.
func (e Entry) Cut(most int) Entry {
	cut := Entry{splits.Entry{Offset: e.Offset, Fields: slices.Clone(e.Fields)}, map[int]int{}}
	for i := 1; i < len(cut.Fields); i += 2 {
		if value := cut.Fields[i]; len(value) > most {
			cut.Fields[i], cut.sizes[i] = strings.Clone(splits.CutText(value, most)), len(value)
		}
	}
	return cut
}

// Size returns the size of the names and values in bytes, with what Cut cut off.
func (e Entry) Size() int {
	size := 0
	for i, text := range e.Fields {
		size += max(len(text), e.sizes[i])
	}
	return size
}

// EntryField is a field of an entry.
type EntryField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Bytes is the size of the value if Value is only the beginning of it; otherwise 0.
	Bytes int `json:"bytes,omitempty"`
}

// List returns the fields in their order. Names can be repeated.
func (e Entry) List() []EntryField {
	fields := []EntryField{}
	for i := 0; i+1 < len(e.Fields); i += 2 {
		fields = append(fields, EntryField{e.Fields[i], e.Fields[i+1], e.sizes[i+1]})
	}
	return fields
}

// MarshalJSON writes the fields as a list of names and values, because names can be repeated.
func (e Entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Offset string       `json:"offset"`
		Fields []EntryField `json:"fields"`
	}{e.Offset.String(), e.List()})
}

// existing returns the entry at an offset.
func (a *Admin) existing(ctx context.Context, split splits.Split, o splits.Offset) (*Entry, error) {
	entry, err := a.entry(ctx, split, o.String(), o.String())
	if err == nil && entry == nil {
		err = fmt.Errorf(
			"partition %s has no entry at offset %s: it was deleted or trimmed, or never existed",
			split,
			o,
		)
	}
	return entry, err
}

// entry returns the first entry in a range of IDs, nil if there is none.
func (a *Admin) entry(ctx context.Context, split splits.Split, from, to string) (*Entry, error) {
	entries, err := a.log.Range(ctx, split, from, to, 1)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return &Entry{Entry: entries[0]}, nil
}

// onlySplit returns the split of a partition, or of the only one if the number is negative.
func onlySplit(topic broker.Topic, partition int) (splits.Split, error) {
	if partition < 0 && topic.Partitions > 1 {
		return splits.Split{}, fmt.Errorf("partition is not set, and the topic has %d partitions: set it to a number "+
			"from 0 to %d", topic.Partitions, topic.Partitions-1)
	}
	chosen, err := chosenSplits(topic, []int{max(partition, 0)})
	if err != nil {
		return splits.Split{}, err
	}
	return chosen[0], nil
}
