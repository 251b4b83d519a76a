package input

import (
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
)

// The names of the fields.
const (
	fieldStreamName      = "stream_name"
	fieldConsumerGroup   = "consumer_group"
	fieldGroupType       = "group_type"
	fieldConsumerName    = "consumer_name"
	fieldInstanceID      = "instance_id"
	fieldStartOffset     = "start_offset"
	fieldBatchSize       = "batch_size"
	fieldPartitionBuffer = "partition_buffer_bytes"
	fieldFetchMax        = "fetch_max_bytes"
	fieldOrdering        = "ordering"
	fieldOrderKey        = "order_key"
	fieldCheckpointLimit = "checkpoint_limit"
	fieldMaxAhead        = "max_ahead"
	fieldCommitPeriod    = "commit_period"
	fieldSessionTimeout  = "session_timeout"
	fieldHeartbeat       = "heartbeat_interval"
	fieldRebalance       = "rebalance_timeout"
	fieldRefreshMetadata = "metadata_refresh_period"
	fieldRefreshLag      = "lag_refresh_period"
	fieldBodyKey         = "body_key"
	fieldOnDataLoss      = "on_data_loss"
	fieldReplayNacks     = service.AutoRetryNacksToggleFieldName
)

func init() {
	service.MustRegisterBatchInput(
		"rafka",
		spec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchInput, error) {
			s, err := parse(conf)
			if err != nil {
				return nil, err
			}
			return newInput(s, mgr), nil
		},
	)
}

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Categories("Services").
		Summary("Reads a topic of partitioned Redis Streams as a member of a consumer group, with the programming "+
			"model of a Kafka consumer.").
		Description(description).
		Fields(config.ConnectionFields()...).
		Fields(groupFields()...).
		Fields(flowFields()...).
		Fields(timingFields()...).
		LintRule(config.JoinLintRules(config.ConnectionLintRule(), lintRule)).
		Example("Read a topic",
			"Any number of processes can run this: they share the partitions of `orders`, and messages with the same "+
				"key stay in order.", exampleRead).
		Example("Keep the order of each key, and nothing more",
			"Lets a plain stream, or a topic with few partitions, use all threads of a slow pipeline. Messages of one "+
				"customer stay in order. A message that keeps failing delays the messages of its own customer, and "+
				"no others.", exampleByKey).
		Example("Set aside messages that always fail",
			"A message that fails is handed out again until it succeeds, and its partition waits for it. Here, "+
				"messages that the server rejects permanently are set aside one by one, and messages that failed for "+
				"another reason are handed out again. (A `fallback` around `http_client` would set aside whole "+
				"batches.)",
			exampleDeadLetters)
}

const exampleRead = `
input:
  rafka:
    url: redis://localhost:6379
    stream_name: orders
    consumer_group: billing
`

const exampleByKey = `
input:
  rafka:
    url: redis://localhost:6379
    stream_name: orders
    consumer_group: enrichment
    ordering: key
    order_key: customer # a field of the entries; the default is the key that a rafka output writes
    checkpoint_limit: 5000

pipeline:
  threads: 16
`

const exampleDeadLetters = `
input:
  rafka:
    url: redis://localhost:6379
    stream_name: orders
    consumer_group: billing

pipeline:
  processors:
    - http: # one request for each message, in order
        url: http://localhost:8080/orders
        verb: POST
        retries: 3
        drop_on: [400, 413, 422] # rejected permanently: not retried

output:
  switch:
    cases:
      - check: '!errored()'
        output:
          drop: {}
      - check: '[400, 413, 422].contains(@http_status_code)'
        output:
          rafka:
            url: redis://localhost:6379
            stream_name: orders-failed
            key: ${! @rafka_key.or("") }
      - output:
          reject: 'the request failed: ${! error() }'
`

// description has ~ where the documentation has backquotes.
var description = strings.ReplaceAll(`
All inputs with the same ~consumer_group~, in any number of processes, are members of one consumer
group. Each partition of the topic is read by one member at a time, in order. Its offset is committed
once every message up to it has been acknowledged. When members join, leave or crash, partitions move
automatically. A topic that was not created with partitions is one plain Redis stream of that name:
any existing stream can be read, by one member at a time.

### Order

At most one batch of a partition is in the pipeline at a time, so messages with the same key stay in
order whatever ~pipeline.threads~ and ~max_in_flight~ are. Partitions are processed in parallel. An
output with ~batching.count~ also needs ~batching.period~: it may wait for messages that are not
handed out until it has written the ones it has.

~ordering: key~ keeps only the order of messages with the same key, and lets many batches of a
partition into the pipeline, no two with messages of one key. So a topic with few partitions, or a
plain stream, uses as many threads as the pipeline has. ~ordering: none~ keeps no order. With both, what
was processed behind the committed offset is stored with it (up to 16 KB for each partition), so that a
rebalance or a crash repeats little.

### Failures

A rejected batch is handed out again before anything newer of its partition, and none of its messages
count as processed. Benthos can't report reliably which message of a batch failed. So the batch comes
again in smaller pieces: split at the messages that the error names, or in halves if it names none.
Accepted pieces are not handed out again. A message that fails alone is retried after a back-off
(10 ms, doubling to 5 s). Messages behind it with the same key wait for it. With the default ~ordering~,
so does everything newer in the partition. Messages of a batch that were already processed when another one failed are
therefore delivered again, usually once or twice.

A message that keeps failing is logged after five seconds, and then once a minute, with its offset and
key, how often it failed, and how to skip it.

While Redis is unavailable the input is not connected, and retries automatically. Messages that a
member had read and not handed out when its session ended are dropped, and read again by the
partition's next owner.

### Restarts

A member that stops hands its partitions over, and gets some when it is back: a restart takes two
rebalances. ~instance_id~ avoids both, where each input has a name that stays, such as the pod of a
StatefulSet. A static member commits and releases its partitions when it stops, but remains in the
group until its ~session_timeout~ ends. If it returns with the same ID before that, even after a
crash, it gets its partitions back immediately, and no other partition moves. Set ~session_timeout~ to
the time that a restart takes: its partitions wait for as long as it is away, up to that time.

If two inputs of a group run with the same ID, the later one has the partitions. The earlier one logs
this, is not ready, hands out nothing more, and stands by until the session of the later one has ended.

### Share groups

With ~group_type: share~, the members compete for the messages of a plain stream or of all partitions,
as the consumers of a Redis consumer group do: the group is one, with the name of ~consumer_group~.
There can be more members than partitions. Messages have no order, and each is acknowledged alone.

A member works on a message for as long as it likes: while it sends heartbeats, its messages are not
taken away. When its session ends, the other members take over what it had not acknowledged, and when
it stops, they do so immediately. A member that was away for longer than ~session_timeout~ joins again,
and drops what it had not handed out. Messages are delivered at least once.

~checkpoint_limit~ bounds the messages of a member, of all partitions together, that are in the
pipeline; one batch more is read ahead. If as many messages keep failing, the member reads nothing
more, is not ready, and says why.

A share group with the name of an existing Redis consumer group continues where that one stands. What
consumers of other programs have pending there stays theirs: it is not taken over.

### Metadata

- ~rafka_topic~, ~rafka_partition~, ~rafka_offset~: where the message is stored
- ~rafka_key~: its key, if it has one
- ~rafka_timestamp_ms~: when it was written, by the clock of Redis
- ~rafka_lag~: the number of messages of the partition that were not yet processed, as last sampled
- ~rafka_delivery_count~: how often this input has handed it out, including this time

and all other fields of the entry, except fields with these names. If an entry has trace context in
the fields ~traceparent~ and ~tracestate~ (W3C Trace Context), it becomes the parent of the spans of
its message, and of no other message of the batch.

### Metrics

With the labels ~topic~, ~partition~ and ~group~:

- ~rafka_lag~: entries behind the last acknowledged one
- ~rafka_lag_seconds~: age of the oldest entry that is not acknowledged
- ~rafka_oldest_unacked_seconds~: time since the oldest unacknowledged message was first handed out
- ~rafka_last_read_seconds~: time since entries last arrived
- ~rafka_commits_total~, ~rafka_fenced_total~, ~rafka_lost_entries_total~, ~rafka_recreated_total~
- ~rafka_redelivered_total~, ~rafka_skipped_total~
- ~rafka_pending_entries~: in a share group, entries that are delivered and not acknowledged
- ~rafka_reclaimed_total~: in a share group, entries that were taken over from dead members

and without ~partition~: ~rafka_partitions_assigned~, ~rafka_rebalances_total~.
`, "~", "`")

// groupFields name the topic, the group and the member.
func groupFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(fieldStreamName).
			Description("The topic to read: at most 249 characters, as in Kafka, and no invisible ones. The same " +
				"limits apply to the names of groups, consumers and instances.").
			Example("orders"),
		service.NewStringField(fieldConsumerGroup).
			Description("The consumer group that this input is a member of. Groups are independent: each reads " +
				"everything.").
			Example("billing"),
		service.NewStringAnnotatedEnumField(fieldGroupType, map[string]string{
			broker.ConsumerGroup: "Each partition is read by one member at a time, in order, and its offset is " +
				"committed.",
			broker.ShareGroup: "All members read all partitions. Each message goes to one of them and is " +
				"acknowledged alone, without any order. See [Share groups](#share-groups).",
		}).Description("How the members of the group share the topic. The type is stored with the group, and all " +
			"members need the same.").
			Default(broker.ConsumerGroup),
		service.NewStringField(fieldConsumerName).
			Description("A descriptive name for this member. It does not have to be unique. Empty: the host name.").
			Default(""),
		service.NewStringField(fieldInstanceID).
			Description("Makes this a static member, like Kafka's `group.instance.id`: the group knows the input by " +
				"this ID, which no other input of the group may have at the same time and which survives restarts. " +
				"See [Restarts](#restarts). Empty: each start makes a new member.").
			Default("").Example("${HOSTNAME}").Advanced(),
		service.NewStringField(fieldStartOffset).
			Description("Where to start partitions for which the group has no offset yet: `earliest`, `latest`, a " +
				"time (RFC 3339) or the ID of an entry, both inclusive, or `group`. With `group` rafka continues " +
				"where the Redis consumer group of this name stands, which another program has used: it reads what " +
				"is pending there, and then everything newer. Stop the readers of that group first. With `latest` " +
				"and `group`, partitions that are added later are still read from their first entry.").
			Default(
				"earliest",
			).Example("latest").Example("group").Example("2026-01-31T08:00:00Z").Example("1767225600000-0"),
	}
}

// flowFields control batches, buffers and what happens to failures.
func flowFields() []*service.ConfigField {
	return []*service.ConfigField{
		config.WholeField(fieldBatchSize).
			Description("The most messages in a batch. A batch is handed out as soon as there are messages, and " +
				"never mixes partitions.").
			Default(500),
		service.NewStringAnnotatedEnumField(fieldOrdering, map[string]string{
			orderPartition: "One batch of a partition at a time. Messages of a partition are processed in order.",
			orderKey: "Many batches of a partition at a time, no two with messages of the same key. Messages of " +
				"a key are processed in order.",
			orderNone: "Many batches of a partition at a time, without order.",
		}).Description("What is processed in order.").Default(orderPartition),
		service.NewStringField(fieldOrderKey).
			Description(
				"The field of an entry that holds the key within which messages stay in order. Entries without " +
					"this field have no order among each other with `ordering: key`. Set it for entries that other " +
					"programs write.",
			).
			Default(broker.KeyField).Advanced(),
		config.WholeField(fieldCheckpointLimit).
			Description("With `ordering` `key` or `none`, the most messages of a partition that are in the pipeline.").
			Default(1024).Advanced(),
		config.WholeField(fieldMaxAhead).
			Description(
				"With `ordering` `key` or `none`, the most messages of a partition between the committed offset " +
					"and the last one handed out. At this limit, for example because a message keeps failing, the " +
					"partition waits, and the log names the message that it waits for.",
			).
			Default(1_000_000).Advanced(),
		service.NewStringField(fieldPartitionBuffer).
			Description("How many bytes of one partition may be read ahead. The last read may exceed this.").
			Default("1MB").Advanced(),
		service.NewStringField(fieldFetchMax).
			Description("How many bytes may be read ahead in total.").Default("50MB").Advanced(),
		service.NewStringField(fieldBodyKey).
			Description("The field of an entry that holds the message. An entry without this field becomes a JSON " +
				"object of its fields, and so does every entry if this is empty.").
			Default("body").Advanced(),
		service.NewBoolField(fieldReplayNacks).
			Description("Whether rejected batches are handed out again. If not, they are skipped as a whole, since " +
				"Benthos can't report reliably which of their messages failed, and `rafka_skipped_total` counts all " +
				"their messages.").
			Default(true),
		service.NewStringAnnotatedEnumField(fieldOnDataLoss, map[string]string{
			lossContinue: "Log and count the loss, and continue with the entries that exist.",
			lossFail:     "Stop reading the partition, with an error, until the group is moved past the loss.",
		}).Description("What to do when entries were trimmed or deleted before they were read, or the stream went " +
			"back in time.").
			Default(lossContinue).Advanced(),
	}
}

// timingFields are periods and timeouts.
func timingFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewDurationField(fieldCommitPeriod).
			Description("How often offsets are committed. They are also committed when a partition is handed over " +
				"and when the input stops.").
			Default("1s").Advanced(),
		service.NewDurationField(fieldSessionTimeout).
			Description("How long the group waits for a member without heartbeats before other members take over its " +
				"partitions.").
			Default("10s").Advanced(),
		service.NewDurationField(fieldHeartbeat).
			Description("The time between heartbeats of the member: at most a third of `session_timeout`. Default: " +
				"3s, or a third of `session_timeout` if that is less.").
			Optional().Example("3s").Advanced(),
		service.NewDurationField(fieldRebalance).
			Description("How long a partition that is handed over may wait for messages that are in the pipeline.").
			Default("30s").Advanced(),
		service.NewDurationField(fieldRefreshMetadata).
			Description("The longest time between two checks for new partitions of the topic. Each heartbeat checks " +
				"too.").
			Default("10s").Advanced(),
		service.NewDurationField(fieldRefreshLag).
			Description("How often the lag is sampled and streams are checked for lost entries.").
			Default("5s").Advanced(),
	}
}
