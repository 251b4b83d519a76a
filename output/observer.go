package output

import (
	"strconv"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/appender"
)

// warnQuiet is the time between two warnings of one kind about one topic.
const warnQuiet = time.Minute

// observer counts what the appender tells, and says in one line each when trouble begins and when it has ended.
type observer struct {
	log                       *service.Logger
	retries, duplicates, gaps *service.MetricCounter
	lostEntries, conflicts    *service.MetricCounter
	lost                      func(topic string)
	now                       func() time.Time

	mu sync.Mutex
	// troubled are the partitions whose appends are retried, by key; since is when the first of them began.
	troubled map[string]struct{}
	since    time.Time
	// gapWarned and trimWarned are when a gap and a failure to trim were last reported, by topic.
	gapWarned, trimWarned map[string]time.Time
	// conflicted says that dropped metadata was reported.
	conflicted bool
}

// newObserver registers the metrics; lost is told each topic that Redis lost entries of.
func newObserver(mgr *service.Resources, lost func(topic string)) *observer {
	metrics := mgr.Metrics()
	return &observer{
		log:         mgr.Logger(),
		retries:     metrics.NewCounter("rafka_append_retries_total", "topic", "partition"),
		duplicates:  metrics.NewCounter("rafka_append_deduplicated_total", "topic", "partition"),
		gaps:        metrics.NewCounter("rafka_append_gaps_total", "topic", "partition"),
		lostEntries: metrics.NewCounter("rafka_append_lost_entries_total", "topic", "partition"),
		conflicts:   metrics.NewCounter("rafka_metadata_dropped_total", "topic"),
		lost:        lost,
		now:         time.Now,
		troubled:    map[string]struct{}{},
		gapWarned:   map[string]time.Time{},
		trimWarned:  map[string]time.Time{},
	}
}

// Retried counts a failed attempt that is followed by another.
func (o *observer) Retried(t appender.Target, r appender.Result) {
	o.retries.Incr(1, t.Topic, strconv.Itoa(t.Partition))
	o.mu.Lock()
	first := len(o.troubled) == 0
	if first {
		o.since = o.now()
	}
	o.troubled[t.Key] = struct{}{}
	o.mu.Unlock()
	if first {
		o.log.Warnf("Writing does not get through and is being retried: %v", r.Err)
	}
}

// Deduplicated counts an append that an earlier attempt had written although its answer was lost.
func (o *observer) Deduplicated(t appender.Target) {
	o.duplicates.Incr(1, t.Topic, strconv.Itoa(t.Partition))
}

// Gap counts that Redis lost appends that it had acknowledged, and has the topic looked at again: its metadata may be gone too.
func (o *observer) Gap(t appender.Target, lost appender.Lost) {
	partition := strconv.Itoa(t.Partition)
	o.gaps.Incr(1, t.Topic, partition)
	o.lostEntries.Incr(lost.Records, t.Topic, partition)
	o.lost(t.Topic)
	if !o.due(o.gapWarned, t.Topic) {
		return
	}
	count := "exactly"
	if !lost.Exact {
		count = "at least"
	}
	o.log.Warnf("Redis does not know earlier appends to %s any more: it lost %s %d entries of it that it had acknowledged, as after a failover "+
		"or a restart without appendfsync always. rafka_append_lost_entries_total counts those of all partitions", t.Key, count, lost.Records)
}

// trimFailed reports that entries were written and the trimming that max_length or max_age ask for was not.
func (o *observer) trimFailed(t appender.Target, err error) {
	if o.due(o.trimWarned, t.Topic) {
		o.log.Warnf("Messages are written, but older ones are not removed as max_length or max_age ask for: %v", err)
	}
}

// due reports whether it is time to warn about the topic, again or for the first time.
func (o *observer) due(warned map[string]time.Time, topic string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	last, before := warned[topic]
	if before && o.now().Sub(last) < warnQuiet {
		return false
	}
	warned[topic] = o.now()
	return true
}

// written ends the trouble of a partition.
func (o *observer) written(t appender.Target) {
	o.mu.Lock()
	_, was := o.troubled[t.Key]
	delete(o.troubled, t.Key)
	over := was && len(o.troubled) == 0
	took := o.now().Sub(o.since)
	o.mu.Unlock()
	if over {
		o.log.Infof("Writing works again after %s", took.Round(time.Millisecond))
	}
}

// dropped counts metadata that could not be written because the record has a field of that name of its own.
func (o *observer) dropped(topic string, keys []string) {
	if len(keys) == 0 {
		return
	}
	o.conflicts.Incr(int64(len(keys)), topic)
	o.mu.Lock()
	first := !o.conflicted
	o.conflicted = true
	o.mu.Unlock()
	if first {
		o.log.Warnf("Metadata %q is not written: the entries have fields of these names themselves. Rename it, or exclude it "+
			"by the field metadata", keys)
	}
}
