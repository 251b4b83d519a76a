package broker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Letter is a dead letter: an entry that a group gave up, and where it comes from.
type Letter struct {
	// Fields are the names and values of the entry, as they were read.
	Fields []string
	Origin Origin
}

// Origin is where a dead letter comes from, and why.
type Origin struct {
	Topic     string `json:"stream_name"`
	Partition int    `json:"partition_id"`
	// Offset is the entry's ID.
	Offset string `json:"offset"`
	Group  string `json:"consumer_group"`
	// Deliveries is how often the entry was delivered.
	Deliveries int `json:"deliveries"`
	// Error is why the last delivery failed.
	Error string `json:"error"`
	// Time is when the group gave the entry up, in milliseconds.
	Time time.Time `json:"time"`
}

// originPrefix begins the names of the fields that Encode adds.
const originPrefix = "rafka_origin_"

// The names of the fields that Encode adds.
const (
	originTopic      = originPrefix + "topic"
	originPartition  = originPrefix + "partition"
	originOffset     = originPrefix + "offset"
	originGroup      = originPrefix + "group"
	originDeliveries = originPrefix + "deliveries"
	originError      = originPrefix + "error"
	originTime       = originPrefix + "time"
)

// IsOrigin reports whether a field of this name holds a part of the origin of a dead letter.
func IsOrigin(name string) bool { return strings.HasPrefix(name, originPrefix) }

// letterFields is the number of fields that Encode adds at most.
const letterFields = 7

// maxLetterError is the largest number of bytes of an error in a letter.
const maxLetterError = 2000

// letterTime is the layout of times in letters. They are in UTC.
const letterTime = "2006-01-02T15:04:05.000Z07:00"

// replayField is the field of a replayed entry that names the group that gave it up.
const replayField = "rafka_replay_group"

// ForOthers reports whether an entry is a letter that was replayed for another group: all groups
// but that one have processed the message before.
func ForOthers(fields []string, group string) bool {
	of, replayed := fieldOf(fields, replayField)
	return replayed && of != group
}

// ofLetters reports whether only dead letters and their replays have a field of this name.
func ofLetters(name string) bool { return name == replayField || IsOrigin(name) }

// Encode returns the fields of the letter's entry: the fields of the dead entry, and those of its
// origin. If the dead entry is a letter itself, it keeps its origin, so that a replay brings it
// back to the topic that it was written to first.
func (l Letter) Encode() []string {
	fields := slices.Grow(slices.Clone(l.Fields), 2*letterFields)
	for _, f := range l.Origin.fields() {
		if _, has := fieldOf(l.Fields, f.Name); !has {
			fields = append(fields, f.Name, f.Value)
		}
	}
	return fields
}

func (o Origin) fields() [letterFields]Field {
	return [letterFields]Field{
		{originTopic, o.Topic},
		{originPartition, strconv.Itoa(o.Partition)},
		{originOffset, o.Offset},
		{originGroup, o.Group},
		{originDeliveries, strconv.Itoa(o.Deliveries)},
		{originError, splits.CutText(o.Error, maxLetterError)},
		{originTime, o.Time.UTC().Format(letterTime)},
	}
}

// ParseLetter parses the fields of a letter's entry. ok is false if they don't name the topic, the
// partition, the offset and the group that the letter comes from. The other parts of the origin are
// zero if they are missing or damaged.
func ParseLetter(fields []string) (l Letter, ok bool) {
	texts := map[string]string{}
	for i := 0; i+1 < len(fields); i += 2 {
		if name := fields[i]; !IsOrigin(name) {
			l.Fields = append(l.Fields, name, fields[i+1])
		} else if _, has := texts[name]; !has {
			texts[name] = fields[i+1]
		}
	}
	o := &l.Origin
	o.Topic, o.Offset, o.Group = texts[originTopic], texts[originOffset], texts[originGroup]
	o.Error = texts[originError]
	o.Deliveries, _ = strconv.Atoi(texts[originDeliveries])
	o.Time, _ = time.Parse(letterTime, texts[originTime])
	var err error
	o.Partition, err = strconv.Atoi(texts[originPartition])
	return l, err == nil && o.Partition >= 0 && o.Topic != "" && o.Offset != "" && o.Group != ""
}

// ID returns the message ID of the letter: the same for the same entry that the same group gave up,
// and another one for another entry, even if a topic was deleted and has an entry with this offset
// again.
func (l Letter) ID() string {
	o := l.Origin
	return strings.Join([]string{
		idEscaper.Replace(o.Group),
		idEscaper.Replace(o.Topic),
		strconv.Itoa(o.Partition),
		o.Offset,
		hashOf(l.Fields),
	}, "/")
}

// idEscaper keeps the parts of a message ID apart.
var idEscaper = strings.NewReplacer("%", "%25", "/", "%2F")

// hashOf returns a hash of the names and values of an entry.
func hashOf(fields []string) string {
	sum := sha256.New()
	for _, f := range fields {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(f), f) // a hash never fails
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// fieldOf returns the first value of a field of an entry.
func fieldOf(fields []string, name string) (value string, ok bool) {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == name {
			return fields[i+1], true
		}
	}
	return "", false
}
