package admin

import (
	"encoding/json"

	"github.com/rafka-streams/rafka/splits"
)

// The JSON of descriptions is for people and for jq: offsets as "ms-seq", durations in
// milliseconds.

// MarshalJSON writes the description with its offsets as text.
func (p PartitionDescription) MarshalJSON() ([]byte, error) {
	type plain PartitionDescription // without this method
	return json.Marshal(struct {
		plain
		First string `json:"first"`
		Last  string `json:"last"`
	}{plain(p), p.First.String(), p.Last.String()})
}

// MarshalJSON writes the partition with its offset as text, null if there is none, and its
// durations in milliseconds.
func (p GroupPartition) MarshalJSON() ([]byte, error) {
	type plain GroupPartition // without this method
	return json.Marshal(struct {
		plain
		ExpiresMS int64   `json:"expires_ms"`
		Committed *string `json:"committed"`
		AgeMS     int64   `json:"age_ms"`
	}{plain(p), p.Expires.Milliseconds(), offsetText(p.Committed), p.Age.Milliseconds()})
}

// MarshalJSON writes the partition with its offsets as text, null where there was none.
func (p SoughtPartition) MarshalJSON() ([]byte, error) {
	type plain SoughtPartition // without this method
	return json.Marshal(struct {
		plain
		Before *string `json:"before"`
		After  *string `json:"after"`
	}{plain(p), offsetText(p.Before), offsetText(&p.After)})
}

// MarshalJSON writes the position with its offset as text, null if there was none.
func (p DeletedPosition) MarshalJSON() ([]byte, error) {
	type plain DeletedPosition // without this method
	return json.Marshal(struct {
		plain
		Committed *string `json:"committed"`
	}{plain(p), offsetText(p.Committed)})
}

// offsetText writes an offset, nil if there is none.
func offsetText(o *splits.Offset) *string {
	if o == nil {
		return nil
	}
	text := o.String()
	return &text
}
