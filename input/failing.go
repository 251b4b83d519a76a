package input

import (
	"errors"
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Failing logs a message that keeps failing, and how to skip it.
func (o *observer) Failing(f splits.Failing) {
	log := o.log.With(
		"topic", f.Split.Topic, "partition", f.Split.Partition, "offset", f.Offset.String(), "key", f.Key,
		"attempts", f.Attempts,
	)
	waits := ""
	switch {
	case f.Waits:
		waits = " Newer messages of the partition wait for it."
	case f.Key != "":
		waits = " Newer messages with its key wait for it."
	}
	if f.Among > 1 {
		log.Warnf("A batch of %d messages of partition %s has been failing for %s and is handed out again in smaller "+
			"batches. Last error: %v.%s", f.Among, f.Split, f.For.Round(time.Second), f.Cause, waits)
		return
	}
	if poison, kills := errors.AsType[*splits.PoisonError](f.Cause); kills {
		log.Errorf("A message of partition %s seems to kill the process: offset %s, key %q. %v.%s "+
			"Fix the cause, or skip the message with %s", f.Split, f.Offset, f.Key, poison, waits, o.skipCommand(f))
		return
	}
	log.Warnf("A message of partition %s keeps failing: offset %s, key %q, rejected %s in %s%s. Last error: %v.%s "+
		"%sFix the cause, or skip the message with %s",
		f.Split, f.Offset, f.Key, attempts(f), f.For.Round(time.Second), others(f), f.Cause, waits+hanging(f),
		o.prospects(f), o.skipCommand(f))
}

// prospects returns when a message becomes a dead letter, as a sentence; empty if there are none.
func (o *observer) prospects(f splits.Failing) string {
	switch {
	case o.letters == "":
		return ""
	case f.Certain < o.maxDeliveries:
		return fmt.Sprintf("Failed attempts that count: %d of %d, then it becomes a dead letter in topic %s. ",
			f.Certain, o.maxDeliveries, o.letters)
	default:
		return fmt.Sprintf("It becomes a dead letter in topic %s when another message shows that the output works. ",
			o.letters)
	}
}

// skipCommand returns how an operator skips a message.
func (o *observer) skipCommand(f splits.Failing) string {
	return fmt.Sprintf("rafka group skip %s --topic %s --partition %d --offset %s --yes",
		o.group, f.Split.Topic, f.Split.Partition, f.Offset)
}

// hanging names the batch that keeps a message from being given up.
func hanging(f splits.Failing) string {
	if f.Hanging == nil {
		return ""
	}
	return fmt.Sprintf(" It is not certain that this message is the cause, and the message is not given up, while a "+
		"batch of partition %s is in the pipeline, for %s now.", f.Hanging.Split, f.Hanging.For.Round(time.Second))
}

func attempts(f splits.Failing) string {
	text := fmt.Sprintf("%d times alone", f.Attempts)
	if other := f.Attempts - f.Certain; other > 0 {
		text += fmt.Sprintf(" (%d times while other batches failed or were in flight)", other)
	}
	return text
}

func others(f splits.Failing) string {
	if f.Others == 0 {
		return ""
	}
	return fmt.Sprintf(", as are %d other messages of the partition", f.Others)
}

// Recovered logs that a message that kept failing has been processed.
func (o *observer) Recovered(f splits.Failing) {
	o.log.Infof("The message at offset %s of partition %s, which was rejected %d times, has been processed",
		f.Offset, f.Split, f.Attempts)
}

// logIfWaiting logs once a minute that a partition waits because the messages handed out behind an
// unacknowledged one have reached max_ahead. The lock is held.
func (o *observer) logIfWaiting(s splits.Sample, now time.Time) {
	if s.Bound == (splits.Offset{}) {
		delete(o.waiting, s.Split)
		return
	}
	if last, logged := o.waiting[s.Split]; logged && now.Sub(last) < remindEvery {
		return
	}
	o.waiting[s.Split] = now
	o.log.Warnf("Partition %s waits: the message at offset %s has not been acknowledged for %s, and the messages "+
		"handed out behind it have reached %s. Find out why that message is stuck or fails, or raise %[4]s",
		s.Split, s.Bound, s.Unacked.Round(time.Second), fieldMaxAhead)
}
