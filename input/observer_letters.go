package input

import (
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// DeadLettered counts and logs a message that was given up.
func (o *observer) DeadLettered(l splits.Letter) {
	o.deadLettered.Incr(1, o.labels(l.Split)...)
	log := o.log.With(
		"topic", l.Split.Topic, "partition", l.Split.Partition, "offset", l.Entry.Offset.String(), "key", l.Key,
		"deliveries", l.Deliveries, "error", l.Cause, "dead_letter_topic", o.letters,
	)
	at := originOf(l, o.group)
	log.Warnf("Gave up the message at offset %s of partition %s, key %q: failed attempts that count: %d in %s. Last "+
		"error: %v. It is in the dead-letter topic now: rafka deadletter show %s --origin-topic %s "+
		"--origin-partition %d --origin-offset %s", l.Entry.Offset, l.Split, l.Key, l.Deliveries,
		l.Age.Round(time.Second), l.Cause, o.letters, at.Topic, at.Partition, at.Offset)
}

// originOf returns the origin in a letter: that of the entry, unless the entry was a letter itself.
func originOf(l splits.Letter, group string) broker.Origin {
	letter := letterOf(l, group, time.Time{})
	if parsed, ok := broker.ParseLetter(letter.Encode()); ok {
		return parsed.Origin
	}
	return letter.Origin
}

// noLetter logs that a dead letter can't be written.
func (o *observer) noLetter(e *splits.LetterError) {
	o.log.With("topic", e.Split.Topic, "partition", e.Split.Partition, "offset", e.Offset.String()).
		Errorf("The message at offset %s of partition %s is to be given up, but its dead letter can't be written, so "+
			"the message is retried: %v", e.Offset, e.Split, o.named(e.Cause))
}
