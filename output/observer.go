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

// observer counts what the appender reports. It logs one line when an outage begins and one when it
// ends.
type observer struct {
	log                       *service.Logger
	retries, duplicates, gaps *service.MetricCounter
	lostEntries, conflicts    *service.MetricCounter
	lateMessages              *service.MetricCounter
	onLoss                    func(topic string)
	now                       func() time.Time
	// retried tracks the partitions whose appends are being retried, by key.
	retried *outage.Outage

	mu sync.Mutex
	// gapWarned and trimWarned have the times of the last warnings about lost entries and about
	// failed trimming, by topic.
	gapWarned, trimWarned *topicCache[time.Time]
	// nullKeys has the topics with a warning about the key null.
	nullKeys *topicCache[struct{}]
	// conflictWarned and reorderWarned are true if dropped metadata and messages out of order,
	// respectively, were logged.
	conflictWarned, reorderWarned bool
}

// newObserver registers the metrics. It calls lost for each topic that Redis lost entries of.
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

// startAtZero creates the counters of a topic before their first event. If a counter appeared with
// its first event, a query for its increase would miss that event. It is not called for topics that
// depend on the message, because there can be very many.
func (o *observer) startAtZero(topic broker.Topic) {
	for partition := range max(topic.Partitions, 1) {
		for _, c := range []*service.MetricCounter{o.retries, o.duplicates, o.gaps, o.lostEntries} {
			c.Incr(0, topic.Name, strconv.Itoa(partition))
		}
	}
	o.conflicts.Incr(0, topic.Name)
	o.lateMessages.Incr(0, topic.Name)
}

// Retried counts a failed attempt that will be repeated. It logs the first one of an outage, and
// one a minute afterwards.
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

// RetriesEnded ends the outage of a partition, whether the append was written or given up.
// Otherwise a topic that is not used any more would count as failing forever, and no later outage
// would be logged.
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

// Deduplicated counts an append that an earlier attempt had already written.
func (o *observer) Deduplicated(t appender.Target) {
	o.duplicates.Incr(1, t.Topic, strconv.Itoa(t.Partition))
}

// Gap counts lost entries and expires the topic, because Redis may have lost its metadata too.
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
		"Redis lost %s %d acknowledged entries of %s. Causes are a failover, or a restart without "+
			"appendfsync always. rafka_append_lost_entries_total counts the lost entries of all partitions",
		count,
		lost.Records,
		t.Key,
	)
}

// trimFailed logs that entries were written, but older ones were not trimmed.
func (o *observer) trimFailed(t appender.Target, err error) {
	if o.shouldWarn(o.trimWarned, t.Topic) {
		o.log.Warnf(
			"Messages are written, but old entries are not trimmed, although max_length or max_age is set: %v",
			err,
		)
	}
}

// shouldWarn reports whether the last warning about the topic is at least warnInterval old, and
// records the new warning.
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

// dropped counts metadata that was not written because the record has another field of that name.
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

// reordered counts messages of a rafka input that arrived after a later message of the same
// partition and key, and logs the first one.
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
	remedy := "keep batches whole between input and output (no split or group_by, " +
		"nor pipeline.threads above 1 after them)"
	if maxInFlight > 1 {
		remedy = fmt.Sprintf(
			"set max_in_flight of this output to 1 (it is %d), and pipeline.threads to 1 if processors divide batches",
			maxInFlight,
		)
	}
	r := late[0]
	o.log.Warnf(
		"Messages of one key are out of order: entry %s of topic %q, partition %d, reached this output after "+
			"entry %s, which has the same key. If order matters, %s. An input with ordering: none does not "+
			"keep the order. rafka_reordered_total counts such messages",
		r.offset,
		r.topic,
		r.partition,
		r.later,
		remedy,
	)
}

// keyIsNull logs, once per topic, that a message has the key "null", which an interpolation without
// a value results in.
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
