package output

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/outage"
)

// warnInterval is the time between two warnings of one kind about one topic.
const warnInterval = time.Minute

// observer counts what the appender tells, and says in one line each when trouble begins and when
// it has ended.
type observer struct {
	log                       *service.Logger
	retries, duplicates, gaps *service.MetricCounter
	lostEntries, conflicts    *service.MetricCounter
	lateMessages              *service.MetricCounter
	onLoss                    func(topic string)
	now                       func() time.Time
	// retried has the keys of the partitions whose appends are retried.
	retried *outage.Outage

	mu sync.Mutex
	// gapWarned and trimWarned are when a gap and a failure to trim were last reported, by topic.
	gapWarned, trimWarned *topicCache[time.Time]
	// nullKeys are the topics of which a key that is null was reported.
	nullKeys *topicCache[struct{}]
	// conflictWarned says that dropped metadata was reported, and reorderWarned that messages came out of
	// order.
	conflictWarned, reorderWarned bool
}

// newObserver registers the metrics; lost is told each topic that Redis lost entries of.
func newObserver(mgr *service.Resources, lost func(topic string)) *observer {
	metrics := mgr.Metrics()
	o := &observer{
		log:          mgr.Logger(),
		retries:      metrics.NewCounter("rafka_append_retries_total", "topic", "partition"),
		duplicates:   metrics.NewCounter("rafka_append_deduplicated_total", "topic", "partition"),
		gaps:         metrics.NewCounter("rafka_append_gaps_total", "topic", "partition"),
		lostEntries:  metrics.NewCounter("rafka_append_lost_entries_total", "topic", "partition"),
		conflicts:    metrics.NewCounter("rafka_metadata_dropped_total", "topic"),
		lateMessages: metrics.NewCounter("rafka_reordered_total", "topic"),
		onLoss:       lost,
		now:          time.Now,
	}
	now := func() time.Time { return o.now() }
	o.retried = outage.New(warnInterval, now)
	o.gapWarned, o.trimWarned = newTopicCache[time.Time](now), newTopicCache[time.Time](now)
	o.nullKeys = newTopicCache[struct{}](now)
	return o
}

// startAtZero makes the counters of a topic exist before their first event: a counter that appears
// with its first event hides that event from queries for the increase. Topics that depend on the
// message have no counters before, since there may be a great many of them.
func (o *observer) startAtZero(topic broker.Topic) {
	for partition := range max(topic.Partitions, 1) {
		for _, c := range []*service.MetricCounter{o.retries, o.duplicates, o.gaps, o.lostEntries} {
			c.Incr(0, topic.Name, strconv.Itoa(partition))
		}
	}
	o.conflicts.Incr(0, topic.Name)
	o.lateMessages.Incr(0, topic.Name)
}

// Retried counts a failed attempt that is followed by another. The first of an outage is logged,
// and one a minute while it lasts.
func (o *observer) Retried(t appender.Target, r appender.Result) {
	o.retries.Incr(1, t.Topic, strconv.Itoa(t.Partition))
	switch f := o.retried.Fail(t.Key, r.Err); {
	case f.First:
		o.log.Warnf("Writing fails and is being retried: %v", r.Err)
	case f.Report:
		o.log.Warnf(
			"Writing has failed for %s and is still being retried, waiting partitions: %d. Last error: %v",
			f.Lasted.Round(time.Second),
			f.Parts,
			r.Err,
		)
	}
}

// RetriesEnded ends the trouble of a partition: what was retried is written, or was given up. Without
// the latter a topic that is not written to again would count as troubled for as long as the
// process runs, and no later outage would be reported.
func (o *observer) RetriesEnded(t appender.Target, err error) {
	lasted, over := o.retried.Recover(t.Key)
	switch {
	case !over:
	case err == nil:
		o.log.Infof("Writing works again after %s", lasted.Round(time.Millisecond))
	default:
		o.log.Warnf(
			"Retries of writing ended after %s without success, and messages failed: %v",
			lasted.Round(time.Millisecond),
			err,
		)
	}
}

// Deduplicated counts an append that an earlier attempt had written although its answer was lost.
func (o *observer) Deduplicated(t appender.Target) {
	o.duplicates.Incr(1, t.Topic, strconv.Itoa(t.Partition))
}

// Gap counts that Redis lost appends that it had acknowledged, and has the topic looked at again:
// its metadata may be gone too.
func (o *observer) Gap(t appender.Target, lost appender.Lost) {
	partition := strconv.Itoa(t.Partition)
	o.gaps.Incr(1, t.Topic, partition)
	o.lostEntries.Incr(lost.Records, t.Topic, partition)
	o.onLoss(t.Topic)
	if !o.shouldWarn(o.gapWarned, t.Topic) {
		return
	}
	count := "exactly"
	if !lost.Exact {
		count = "at least"
	}
	o.log.Warnf(
		"Redis lost acknowledged entries of %s: %s %d. Causes are a failover, or a restart without "+
			"appendfsync always. rafka_append_lost_entries_total counts the lost entries of all partitions",
		t.Key,
		count,
		lost.Records,
	)
}

// trimFailed reports that entries were written and the trimming that max_length or max_age ask for
// was not.
func (o *observer) trimFailed(t appender.Target, err error) {
	if o.shouldWarn(o.trimWarned, t.Topic) {
		o.log.Warnf("Messages are written, but old entries are not trimmed, although max_length or max_age is set: %v", err)
	}
}

// shouldWarn reports whether it is time to warn about the topic, again or for the first time.
func (o *observer) shouldWarn(warned *topicCache[time.Time], topic string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	last, before := warned.get(topic)
	if before && o.now().Sub(last) < warnInterval {
		return false
	}
	warned.set(topic, o.now())
	return true
}

// dropped counts metadata that could not be written because the record has a field of that name of
// its own.
func (o *observer) dropped(topic string, keys []string) {
	if len(keys) == 0 {
		return
	}
	o.conflicts.Incr(int64(len(keys)), topic)
	o.mu.Lock()
	first := !o.conflictWarned
	o.conflictWarned = true
	o.mu.Unlock()
	if first {
		o.log.Warnf(
			"Metadata %q is not written, because entries have other fields of the same names. Rename the metadata, "+
				"or exclude it with the field metadata",
			keys,
		)
	}
}

// reordered counts messages of a rafka input that came behind a later one of the same partition and
// key, and warns of it once.
func (o *observer) reordered(late []reordered, maxInFlight int) {
	if len(late) == 0 {
		return
	}
	for _, r := range late {
		o.lateMessages.Incr(1, r.topic)
	}
	o.mu.Lock()
	first := !o.reorderWarned
	o.reorderWarned = true
	o.mu.Unlock()
	if !first {
		return
	}
	remedy := "keep batches whole between input and output (no split or group_by, nor pipeline.threads above 1 after them)"
	if maxInFlight > 1 {
		remedy = fmt.Sprintf(
			"set max_in_flight of this output to 1 (it is %d), and pipeline.threads to 1 if processors divide batches",
			maxInFlight,
		)
	}
	r := late[0]
	o.log.Warnf(
		"Messages of one key are out of order: entry %s of topic %q, partition %d, reached this output after "+
			"entry %s, which has the same key. If order matters, %s. An input with unordered_processing does not "+
			"keep the order. rafka_reordered_total counts such messages",
		r.offset,
		r.topic,
		r.partition,
		r.later,
		remedy,
	)
}

// keyIsNull warns, once for each topic, of a key that is what an interpolation without value gives.
func (o *observer) keyIsNull(topic string) {
	o.mu.Lock()
	_, known := o.nullKeys.get(topic)
	o.nullKeys.set(topic, struct{}{})
	o.mu.Unlock()
	if !known {
		o.log.Warnf(
			"A message for topic %q has the key null: the interpolation in the field key found no value. All such "+
				"messages share this key, and so one partition. To write them without a key, add .or(\"\") to the "+
				"interpolation, as in ${! @rafka_key.or(\"\") }",
			topic,
		)
	}
}
