package broker

import "encoding/json"

// The JSON of descriptions is for people and for jq: offsets as "ms-seq", durations in milliseconds.

// MarshalJSON writes the description with its offsets as text.
func (p PartitionDescription) MarshalJSON() ([]byte, error) {
	type plain PartitionDescription // without this method
	return json.Marshal(struct {
		plain
		First string `json:"first"`
		Last  string `json:"last"`
	}{plain(p), p.First.String(), p.Last.String()})
}

// MarshalJSON writes the partition with its offset as text, null if there is none, and its durations in milliseconds.
func (p GroupPartition) MarshalJSON() ([]byte, error) {
	var committed *string
	if p.Committed != nil {
		text := p.Committed.String()
		committed = &text
	}
	type plain GroupPartition // without this method
	return json.Marshal(struct {
		plain
		ExpiresMS int64   `json:"expires_ms"`
		Committed *string `json:"committed"`
		AgeMS     int64   `json:"age_ms"`
	}{plain(p), p.Expires.Milliseconds(), committed, p.Age.Milliseconds()})
}
