package input

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/outage"
	"github.com/rafka-streams/rafka/splits"
)

// observer turns what happens in a consumer into log lines and metrics. It is quiet while nothing
// happens.
type observer struct {
	group string
	topic string
	log   *service.Logger

	lag, lagSeconds, unacked, lastRead, assigned            *service.MetricGauge
	rebalances, commits, fenced, lost, redelivered, skipped *service.MetricCounter
	recreated                                               *service.MetricCounter

	outage *outage.Outage // what there is trouble with, and the reasons that were logged

	mu      sync.Mutex
	sampled map[splits.Split]bool      // has gauges that are not 0
	bounded map[splits.Split]time.Time // when it was last reported that the partition waits at max_ahead
}

var _ splits.Observer = (*observer)(nil)

func newObserver(topic, group string, mgr *service.Resources) *observer {
	m := mgr.Metrics()
	perPartition := []string{"topic", "partition", "group"}
	gauge := func(name string) *service.MetricGauge { return m.NewGauge(name, perPartition...) }
	counter := func(name string) *service.MetricCounter { return m.NewCounter(name, perPartition...) }
	o := &observer{
		topic: topic, group: group, log: mgr.Logger(), sampled: map[splits.Split]bool{},
		outage: outage.New(remindEvery, time.Now), bounded: map[splits.Split]time.Time{},
		lag: gauge("rafka_lag"), lagSeconds: gauge("rafka_lag_seconds"),
		unacked: gauge("rafka_oldest_unacked_seconds"), lastRead: gauge("rafka_last_read_seconds"),
		assigned:   m.NewGauge("rafka_partitions_assigned", "topic", "group"),
		rebalances: m.NewCounter("rafka_rebalances_total", "topic", "group"),
		commits:    counter("rafka_commits_total"), fenced: counter("rafka_fenced_total"),
		lost: counter("rafka_lost_entries_total"), recreated: counter("rafka_recreated_total"),
		redelivered: counter("rafka_redelivered_total"), skipped: counter("rafka_skipped_total"),
	}
	// a counter that appears with its first event hides that event from whoever asks for its
	// increase
	o.rebalances.Incr(0, topic, group)
	o.assigned.Set(0, topic, group)
	return o
}

func (o *observer) labels(s splits.Split) []string {
	return []string{s.Topic, strconv.Itoa(s.Partition), o.group}
}

// Rebalanced logs one line for one rebalance.
func (o *observer) Rebalanced(r splits.Rebalance) {
	o.rebalances.Incr(1, o.topic, o.group)
	o.assigned.Set(int64(r.Owned), o.topic, o.group)
	o.zero(r.Revoked)
	for _, s := range r.Added {
		for _, c := range []*service.MetricCounter{o.commits, o.fenced, o.lost, o.recreated, o.redelivered, o.skipped} {
			c.Incr(0, o.labels(s)...)
		}
	}
	o.log.With("member", r.Member, "plan", r.Version, "added", list(r.Added), "revoked", list(r.Revoked)).
		Infof("Rebalanced group %s of topic %s: reading %s", o.group, o.topic, partitions(r.Owned))
}

// list names partitions briefly, in order.
func list(all []splits.Split) string {
	const most = 16
	numbers := make([]int, len(all))
	for i, s := range all {
		numbers[i] = s.Partition
	}
	slices.Sort(numbers)
	var names []string
	for i, n := range numbers {
		if i == most {
			names = append(names, "...")
			break
		}
		names = append(names, strconv.Itoa(n))
	}
	return strings.Join(names, ",")
}

// Committed counts.
func (o *observer) Committed(s splits.Split, _ splits.Position) { o.commits.Incr(1, o.labels(s)...) }

// Fenced counts, and says what it means.
func (o *observer) Fenced(all []splits.Split, cause error) {
	o.zero(all)
	switch {
	case errors.Is(cause, splits.ErrRolledBack):
		return // Lost tells
	case errors.Is(cause, splits.ErrSought):
		o.log.With("partitions", list(all)).
			Infof("Group %s of topic %s was moved, as by rafka group seek: going on from its new position in %s",
				o.group, o.topic, partitions(len(all)))
		return
	case errors.Is(cause, splits.ErrDeleted):
		o.log.With("partitions", list(all)).
			Infof(
				"Topic %s was deleted with its entries and offsets, as by rafka topic delete: %s will be read from the first entry that comes",
				o.topic,
				partitions(len(all)),
			)
		return
	}
	for _, s := range all {
		o.fenced.Incr(1, o.labels(s)...)
	}
	o.log.With("partitions", list(all)).
		Warnf("Lost the leases of %s of topic %s: %v. What was read of them and not committed is delivered again, "+
			"here or elsewhere", partitions(len(all)), o.topic, cause)
}

// Redelivered counts.
func (o *observer) Redelivered(s splits.Split, n int) { o.redelivered.Incr(int64(n), o.labels(s)...) }

// Skipped counts, and says so: these messages are not seen again.
func (o *observer) Skipped(s splits.Split, n int) {
	o.skipped.Incr(int64(n), o.labels(s)...)
	o.log.Warnf(
		"Passed over a batch of %d messages of partition %s that was rejected, as %s is false",
		n,
		s,
		fieldReplayNacks,
	)
}

// Sampled sets the gauges.
func (o *observer) Sampled(samples []splits.Sample) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range samples {
		o.sampled[s.Split] = true
		labels := o.labels(s.Split)
		o.lag.Set(max(0, s.Lag), labels...)
		o.lagSeconds.SetFloat64(s.LagAge.Seconds(), labels...)
		o.unacked.SetFloat64(s.Unacked.Seconds(), labels...)
		o.bound(s, now)
		if !s.LastRead.IsZero() {
			o.lastRead.SetFloat64(now.Sub(s.LastRead).Seconds(), labels...)
		}
	}
}

// zero clears the gauges of partitions that are not read here any more: a gauge can't be removed.
func (o *observer) zero(gone []splits.Split) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range gone {
		if !o.sampled[s] {
			continue
		}
		delete(o.sampled, s)
		for _, g := range []*service.MetricGauge{o.lag, o.lagSeconds, o.unacked, o.lastRead} {
			g.Set(0, o.labels(s)...)
		}
	}
}

// closed clears all gauges.
func (o *observer) closed() {
	o.mu.Lock()
	var gone []splits.Split
	for s := range o.sampled {
		gone = append(gone, s)
	}
	o.mu.Unlock()
	o.zero(gone)
	o.assigned.Set(0, o.topic, o.group)
}

// Stalled says once what usually makes every partition wait.
func (o *observer) Stalled(waited time.Duration) {
	o.log.Warnf(
		"Every partition with messages has waited %s for an acknowledgement. An output with batching.count that ordered "+
			"processing can't fill causes this: set batching.period, lower the count, or enable unordered_processing",
		waited.Round(time.Second),
	)
}

// Troubled logs one line per outage. The broker's errors come with the remedy.
func (o *observer) Troubled(what string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	o.outage.Fail(what, err) // the caller decides what is reported again
	if superseded, ok := errors.AsType[*splits.SupersededError](err); ok {
		o.log.With("group", o.group, "topic", o.topic).Errorf("Fenced: %v", superseded)
		return
	}
	if loss, ok := errors.AsType[*splits.LossError](err); ok {
		o.log.Errorf("Stopped: %v", loss)
		return
	}
	if entry, ok := errors.AsType[*splits.EntryError](err); ok {
		o.log.Errorf("%s", entryText(entry))
		return
	}
	o.log.Errorf("Trouble with %s, trying again: %v", what, err)
}

// unavailable is told why nothing can be handed out. An outage may begin with a connection that
// breaks and turn out to be, say, a password that was changed: then the log has the wrong remedy.
func (o *observer) unavailable(err error) {
	if o.outage.Update(theStore, err, sameRemedy) {
		o.log.Errorf("Trouble with %s has another reason now, trying again: %v", theStore, err)
	}
}

// shown says that the engine is going to log why nothing can be handed out.
func (o *observer) shown(err error) {
	o.outage.Update(theStore, err, nil)
}

// storeTroubled reports whether there is trouble with no partition in particular.
func (o *observer) storeTroubled() bool {
	return o.outage.Failing(theStore)
}

// theStore is what Troubled and Mended call trouble with no partition in particular.
const theStore = "redis"

// Mended logs that it is over.
func (o *observer) Mended(what string) {
	o.outage.Recover(what)
	o.log.Infof("Trouble with %s is over", what)
}
