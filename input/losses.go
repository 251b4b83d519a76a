package input

import (
	"fmt"

	"github.com/rafka-streams/rafka/splits"
)

// Lost counts losses and logs one line per kind of loss, however many partitions it concerns.
func (o *observer) Lost(all []splits.Loss) {
	var removed, recreated, gone, spent []splits.Loss
	for _, l := range all {
		if l.FullyRead {
			spent = append(spent, l)
			continue
		}
		o.lost.Incr(l.Entries, o.labels(l.Split)...)
		if l.Recreated {
			o.recreated.Incr(1, o.labels(l.Split)...)
		}
		switch {
		case l.Stopped: // Unavailable logs it
		case l.Gone:
			gone = append(gone, l)
		case l.Recreated:
			recreated = append(recreated, l)
		default:
			removed = append(removed, l)
		}
	}
	o.logSpent(spent)
	o.logLost(removed, "lost %s before they were read: they were trimmed or deleted. "+
		"Keep more entries (max_length, max_age), or read faster")
	o.logLost(recreated, "was recreated or went back in time, as after a failover or when an old dump is restored; "+
		"%s are known to be lost. Reading continues with the entries that exist")
	o.logLost(gone, "is gone: its stream was deleted, evicted or flushed; %s are known to be lost. "+
		"New entries are read from the first one on")
}

// partitions returns "1 partition" or "n partitions".
func partitions(n int) string {
	if n == 1 {
		return "1 partition"
	}
	return fmt.Sprintf("%d partitions", n)
}

// logSpent logs that streams disappeared after all of their entries had been read, which is not an
// error.
func (o *observer) logSpent(all []splits.Loss) {
	if len(all) == 0 {
		return
	}
	var where []splits.Split
	for _, l := range all {
		where = append(where, l.Split)
	}
	o.log.With("partitions", list(where)).
		Infof("The streams of %s of topic %s expired or were deleted after everything in them had been read: "+
			"new entries are read from the first one on", partitions(len(all)), o.topic)
}

// logLost logs a line about losses of one kind. The text describes what happened to the partitions.
func (o *observer) logLost(all []splits.Loss, text string) {
	if len(all) == 0 {
		return
	}
	total, undone, exact := int64(0), int64(0), true
	var where []splits.Split
	for _, l := range all {
		total += l.Entries
		undone += l.ReadLost
		exact = exact && (l.Exact || l.Recreated)
		where = append(where, l.Split)
	}
	count := fmt.Sprintf("%d entries", total)
	if !exact {
		count = "at least " + count
	}
	log := o.log.With("partitions", list(where))
	if undone > 0 {
		log = log.With("undone", undone) // entries that were read before they were lost
	}
	subject := fmt.Sprintf("Partition %s (%s), read up to %s, ", all[0].Split, all[0].Split.Key, all[0].After)
	if len(all) > 1 {
		subject = fmt.Sprintf("Each of %d partitions of topic %s ", len(all), o.topic)
	}
	log.Errorf("%s", subject+fmt.Sprintf(text, count))
}
