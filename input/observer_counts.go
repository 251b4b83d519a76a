package input

import "github.com/rafka-streams/rafka/splits"

// Redelivered counts messages that are handed out again.
func (o *observer) Redelivered(s splits.Split, n int) { o.redelivered.Incr(int64(n), o.labels(s)...) }

// Isolated counts messages that failed alone for the first time.
func (o *observer) Isolated(s splits.Split) { o.isolated.Incr(1, o.labels(s)...) }

// Skipped counts and logs rejected messages that are not delivered again.
func (o *observer) Skipped(s splits.Split, n int) {
	o.skipped.Incr(int64(n), o.labels(s)...)
	o.log.Warnf("Skipped a rejected batch of %d messages of partition %s: they are not delivered again, since %s is "+
		"false",
		n, s, fieldReplayNacks)
}

// skippedByOperator counts and logs that an operator skipped one message of each partition.
func (o *observer) skippedByOperator(all []splits.Split) {
	for _, s := range all {
		o.skipped.Incr(1, o.labels(s)...)
		o.log.Warnf(
			"A message of partition %s was skipped by an operator, as by rafka group skip: reading on without it",
			s,
		)
	}
}

// PassedOver counts messages that were replayed from dead letters for other groups.
func (o *observer) PassedOver(s splits.Split, n int) { o.passedOver.Incr(int64(n), o.labels(s)...) }

// Reclaimed counts and logs messages that were taken over from members that ended.
func (o *observer) Reclaimed(s splits.Split, n int) {
	o.reclaimed.Incr(int64(n), o.labels(s)...)
	o.log.Infof("Took over %d unacknowledged messages of partition %s from a member whose session has ended", n, s)
}

// TookIdle counts and logs messages that were taken over from consumers of other programs.
func (o *observer) TookIdle(s splits.Split, n int) {
	o.reclaimed.Incr(int64(n), o.labels(s)...)
	o.log.Infof("Took over %d messages of partition %s from consumers of other programs, idle for %s", n, s,
		fieldAdoptIdle)
}
