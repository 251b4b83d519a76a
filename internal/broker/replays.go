package broker

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/appender"
)

// Replay is a dead letter to be written back to the topic that it comes from.
type Replay struct {
	// Topic is that topic.
	Topic Topic
	// ID is the message ID of the entry, see ReplayID.
	ID     string
	Fields []string
}

// ReplayID returns the message ID of the entry that a letter becomes in the topic that it comes
// from: the same for the same letter, however often it is replayed.
func ReplayID(deadTopic string, partition int, offset string, fields []string) string {
	l := Letter{Fields: fields, Origin: Origin{Group: "replay", Topic: deadTopic, Partition: partition, Offset: offset}}
	return l.ID()
}

// Replayed returns the fields of the entry that the letter becomes in the topic that it comes from:
// other groups than the one that gave it up pass over it, unless allGroups is true.
func (l Letter) Replayed(allGroups bool) []string {
	var fields []string
	for i := 0; i+1 < len(l.Fields); i += 2 {
		if l.Fields[i] != replayField { // of an earlier replay
			fields = append(fields, l.Fields[i], l.Fields[i+1])
		}
	}
	if !allGroups {
		fields = append(fields, replayField, l.Origin.Group)
	}
	return fields
}

// Replays writes dead letters back to the topics that they come from. It is safe for concurrent use
// and does not close its client.
type Replays struct{ appends *Appends }

// NewReplays returns Replays that use the client. The caller keeps ownership of the client.
func NewReplays(client redis.UniversalClient) *Replays {
	r := &Replays{NewAppends(client, AppendOptions{IDWindow: LetterWindow})}
	r.appends.maxFields += letterFields
	return r
}

// Write writes the entries that were not written within LetterWindow, to the partitions of their
// keys, and of their IDs if they have no key. It returns one error or nil per entry, and how many
// entries were written before. After an error the entry may have been written: the caller can
// repeat the call.
func (r *Replays) Write(ctx context.Context, replays []Replay) (errs []error, known int) {
	errs = make([]error, len(replays))
	var round []appender.Request
	var indexes [][]int // of the replays of each request
	at := map[string]int{}
	for i, replay := range replays {
		target := targetOf(replay.Topic, replay.Fields, replay.ID)
		n, ok := at[target.Key]
		if !ok {
			n = len(round)
			at[target.Key] = n
			round, indexes = append(round, appender.Request{Target: target}), append(indexes, nil)
		}
		round[n].Records = append(round[n].Records, appender.Record{Fields: replay.Fields, ID: replay.ID})
		indexes[n] = append(indexes[n], i)
	}
	if len(round) == 0 {
		return errs, 0
	}
	for n, result := range r.appends.Append(ctx, round) {
		known += result.Known
		for j, i := range indexes[n] {
			if j >= result.Count {
				errs[i] = result.Err
			}
		}
	}
	return errs, known
}

// Key returns the key of the letter's message, empty if it has none.
func (l Letter) Key() string {
	key, _ := fieldOf(l.Fields, KeyField)
	return key
}
