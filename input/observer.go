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

// observer logs what happens in a consumer and counts it in metrics. It logs nothing while nothing
// changes.
type observer struct {
	group string
	topic string
	log   *service.Logger

	letters       string // the topic of the dead letters; empty: none are written
	maxDeliveries int    // after so many failures that count, a message is given up

	lag, lagSeconds, unacked, lastRead, assigned, pending   *service.MetricGauge
	rebalances, commits, fenced, lost, redelivered, skipped *service.MetricCounter
	recreated, reclaimed, passedOver, isolated              *service.MetricCounter
	deadLettered, keptEntries                               *service.MetricCounter

	outage *outage.Outage // what fails, and the causes that were logged
	kept   kept

	mu      sync.Mutex
	owned   map[splits.Split]bool                      // splits whose gauges may be set
	waiting map[splits.Split]time.Time                 // splits that wait at max_ahead, and when that was last logged
	name    func(ctx context.Context, err error) error // of the session, nil before the first
}

// nameTimeout bounds the requests that find out which permissions are missing.
const nameTimeout = time.Second

// names sets how an error is extended by the permissions that are missing.
func (o *observer) names(name func(ctx context.Context, err error) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.name = name
}

// named returns an error with the permissions that are missing, if the server does not name them.
func (o *observer) named(err error) error {
	o.mu.Lock()
	name := o.name
	o.mu.Unlock()
	if name == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), nameTimeout)
	defer cancel()
	return name(ctx, err)
}

var _ splits.Observer = (*observer)(nil)

func newObserver(topic, group string, mgr *service.Resources) *observer {
	m := mgr.Metrics()
	perPartition := []string{"topic", "partition", "group"}
	gauge := func(name string) *service.MetricGauge { return m.NewGauge(name, perPartition...) }
	counter := func(name string) *service.MetricCounter { return m.NewCounter(name, perPartition...) }
	o := &observer{
		topic: topic, group: group, log: mgr.Logger(), owned: map[splits.Split]bool{},
		outage: outage.New(remindEvery, time.Now), waiting: map[splits.Split]time.Time{},
		lag: gauge("rafka_lag"), lagSeconds: gauge("rafka_lag_seconds"),
		unacked: gauge("rafka_oldest_unacked_seconds"), lastRead: gauge("rafka_last_read_seconds"),
		assigned:   m.NewGauge("rafka_partitions_assigned", "topic", "group"),
		rebalances: m.NewCounter("rafka_rebalances_total", "topic", "group"),
		commits:    counter("rafka_commits_total"), fenced: counter("rafka_fenced_total"),
		lost: counter("rafka_lost_entries_total"), recreated: counter("rafka_recreated_total"),
		redelivered: counter("rafka_redelivered_total"), skipped: counter("rafka_skipped_total"),
		pending: gauge("rafka_pending_entries"), reclaimed: counter("rafka_reclaimed_total"),
		passedOver: counter("rafka_passed_over_total"), isolated: counter("rafka_isolated_total"),
		deadLettered: counter("rafka_dead_lettered_total"), keptEntries: counter("rafka_kept_entries_total"),
	}
	// A counter that appears with its first event hides that event from queries of its increase.
	o.rebalances.Incr(0, topic, group)
	o.assigned.Set(0, topic, group)
	return o
}

func (o *observer) labels(s splits.Split) []string {
	return []string{s.Topic, strconv.Itoa(s.Partition), o.group}
}

// Rebalanced logs one line per rebalance.
func (o *observer) Rebalanced(r splits.Rebalance) {
	o.rebalances.Incr(1, o.topic, o.group)
	o.assigned.Set(int64(r.Owned), o.topic, o.group)
	o.clearGauges(r.Revoked)
	o.setOwned(r.Added)
	for _, s := range r.Added {
		for _, c := range []*service.MetricCounter{
			o.commits, o.fenced, o.lost, o.recreated, o.redelivered, o.skipped, o.isolated, o.deadLettered,
			o.passedOver, o.reclaimed, o.keptEntries,
		} {
			c.Incr(0, o.labels(s)...)
		}
	}
	o.log.With("member", r.Member, "plan", r.Version, "added", list(r.Added), "revoked", list(r.Revoked)).
		Infof("Rebalanced group %s of topic %s: reading %s", o.group, o.topic, partitions(r.Owned))
}

// list returns the numbers of partitions in order, at most 16 of them.
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

// Committed counts a commit.
func (o *observer) Committed(s splits.Split, _ splits.Position) { o.commits.Incr(1, o.labels(s)...) }

// Fenced counts lost leases and logs why they were lost.
func (o *observer) Fenced(all []splits.Split, cause error) {
	o.clearGauges(all)
	log := o.log.With("partitions", list(all))
	switch {
	case errors.Is(cause, splits.ErrRolledBack):
		return // Lost logs it
	case errors.Is(cause, splits.ErrMoved):
		log.Infof("Group %s of topic %s was moved, as by rafka group seek: reading %s from the new offsets on",
			o.group, o.topic, partitions(len(all)))
		return
	case errors.Is(cause, splits.ErrSkipped):
		o.skippedByOperator(all)
		return
	case errors.Is(cause, splits.ErrDeleted):
		log.Infof("Topic %s was deleted with its entries and offsets, as by rafka topic delete: "+
			"reading %s from the first new entry on", o.topic, partitions(len(all)))
		return
	}
	for _, s := range all {
		o.fenced.Incr(1, o.labels(s)...)
	}
	log.Warnf("Lost the leases of %s of topic %s: %v. Messages that were read and not committed will be delivered "+
		"again, by this member or another", partitions(len(all)), o.topic, cause)
}

// Sampled sets the gauges.
func (o *observer) Sampled(samples []splits.Sample) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range samples {
		if !o.owned[s.Split] {
			continue // it was given up while its state was read
		}
		labels := o.labels(s.Split)
		if s.Lag >= 0 { // it is known
			o.lag.Set(s.Lag, labels...)
		}
		o.lagSeconds.SetFloat64(s.LagAge.Seconds(), labels...)
		o.unacked.SetFloat64(s.Unacked.Seconds(), labels...)
		o.pending.Set(s.Pending, labels...)
		o.logIfWaiting(s, now)
		if !s.LastRead.IsZero() {
			o.lastRead.SetFloat64(now.Sub(s.LastRead).Seconds(), labels...)
		}
	}
}

func (o *observer) setOwned(added []splits.Split) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range added {
		o.owned[s] = true
	}
}

// clearGauges sets the gauges of partitions that this input no longer reads to 0: the engine can't
// remove a gauge.
func (o *observer) clearGauges(gone []splits.Split) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range gone {
		if !o.owned[s] {
			continue
		}
		delete(o.owned, s)
		for _, g := range []*service.MetricGauge{o.lag, o.lagSeconds, o.unacked, o.lastRead, o.pending} {
			g.Set(0, o.labels(s)...)
		}
	}
}

// closed sets all gauges to 0.
func (o *observer) closed() {
	o.mu.Lock()
	var gone []splits.Split
	for s := range o.owned {
		gone = append(gone, s)
	}
	o.mu.Unlock()
	o.clearGauges(gone)
	o.assigned.Set(0, o.topic, o.group)
}

// Stalled logs the usual reason why every partition waits.
func (o *observer) Stalled(waited time.Duration) {
	o.log.Warnf("Every partition with messages has waited %s for an acknowledgement. The usual cause is an output "+
		"whose batching.count needs more messages than ordered processing hands out: set batching.period, lower "+
		"batching.count, or set ordering to key or none", waited.Round(time.Second))
}
