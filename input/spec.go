package input

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
)

// The names of the fields.
const (
	fieldStreamName      = "stream_name"
	fieldConsumerGroup   = "consumer_group"
	fieldConsumerName    = "consumer_name"
	fieldInstanceID      = "instance_id"
	fieldStartOffset     = "start_offset"
	fieldBatchSize       = "batch_size"
	fieldPartitionBuffer = "partition_buffer_bytes"
	fieldFetchMax        = "fetch_max_bytes"
	fieldUnordered       = "unordered_processing"
	fieldEnabled         = "enabled"
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
		Summary(
			"Reads a topic of partitioned Redis Streams as a member of a consumer group, with the programming model of a Kafka consumer.",
		).
		Description(description).
		Fields(config.ConnectionFields()...).
		Fields(groupFields()...).
		Fields(flowFields()...).
		Fields(timingFields()...).
		LintRule(config.JoinLintRules(config.ConnectionLintRule(), lintRule)).
		Example(
			"Read a topic",
			"Any number of processes may run this: they share the partitions of `orders`, and messages of one key stay in order.",
			`
input:
  rafka:
    url: redis://localhost:6379
    stream_name: orders
    consumer_group: billing
`,
		).
		Example(
			"Read without order",
			"Lets each partition have up to 5000 messages in the pipeline at once. What is committed is still the highest offset "+
				"below which nothing is missing.",
			`
input:
  rafka:
    url: redis://localhost:6379
    stream_name: clicks
    consumer_group: counters
    unordered_processing:
      enabled: true
      checkpoint_limit: 5000
`,
		).
		Example(
			"Set aside messages that always fail",
			"A message that fails is handed out again until it succeeds, and its partition waits for it. "+
				"Here what the server refuses for good is set aside, message by message, and what failed for another reason comes again. "+
				"(A `fallback` around `http_client` would set aside whole batches.)",
			`
input:
  rafka:
    url: redis://localhost:6379
    stream_name: orders
    consumer_group: billing

pipeline:
  processors:
    - http: # one request for each message, in their order
        url: http://localhost:8080/orders
        verb: POST
        retries: 3
        drop_on: [400, 413, 422] # refused for good: not tried again

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
`,
		)
}

const description = `
All inputs that share ` + "`consumer_group`" + `, in any number of processes, are members of one consumer group: each partition of the topic is read by one of
them at a time, in order, and its offset is committed once everything up to it has been acknowledged. When members come, leave or die, partitions move by
themselves. A topic that was not created with partitions is one plain Redis stream of that name: any existing stream can be read, by one member at a time.

### Order

At most one batch of a partition is in the pipeline at a time, so messages of one key stay in order whatever ` + "`pipeline.threads`" + ` and ` + "`max_in_flight`" + `
are; partitions are processed in parallel. An output with ` + "`batching.count`" + ` needs a ` + "`batching.period`" + ` too, as it may wait for messages that are not handed
out before it has written the ones it has. ` + "`unordered_processing`" + ` lifts all this.

### Failures

A batch that was rejected is handed out again before anything newer of its partition, and nothing of it counts as processed. Benthos can't say reliably which
message of a batch failed, so the batch comes in smaller pieces: cut at the messages that the error names, or in halves if it names none. Pieces that are accepted
are done with. A message that fails alone is tried again after a back-off (10 ms, doubling to 5 s); those behind it with the same key wait for it, and so does
whatever is newer in the partition. Messages of a batch that had already been delivered when another one failed are so delivered again, in
general once or twice.

A message that keeps failing is reported: after five seconds, then once a minute, with its offset and key, how often it failed, and how to pass over it.

While Redis is away the input is not connected and tries again by itself. What a member had read and not handed out when its session ended is dropped, and
read anew by whoever has the partition then.

### Restarts

A member that stops hands its partitions over, and gets some when it is back: two rebalances for a restart. Where each input has a name that stays, such as the pod of
a StatefulSet, ` + "`instance_id`" + ` saves both. A static member commits and releases when it stops, but stays in the group until its ` + "`session_timeout`" + ` ends; when it comes back
under the same id before that, even after a crash, it takes its partitions over at once and nobody else's move. Give ` + "`session_timeout`" + ` the time that a restart takes: for as
long as it is away, and no longer, its partitions wait.

If two inputs of a group run with the same id, the one that came later has the partitions. The earlier one says so in its log, is not ready, hands out
nothing more, and stands by until the session of the later one has ended.

### Metadata

- ` + "`rafka_topic`" + `, ` + "`rafka_partition`" + `, ` + "`rafka_offset`" + `: where the message stands
- ` + "`rafka_key`" + `: its key, if it has one
- ` + "`rafka_timestamp_ms`" + `: when it was written, by the clock of Redis
- ` + "`rafka_lag`" + `: how many messages of the partition were not processed yet, as last sampled
- ` + "`rafka_delivery_count`" + `: how often this input has handed it out, this time included

and all other fields of the entry. Fields of these names are not taken over. Where an entry has trace context in the fields ` + "`traceparent`" + ` and
` + "`tracestate`" + ` (W3C Trace Context), the spans of its message, and of no other of the batch, have their parent there.

### Metrics

With the labels ` + "`topic`" + `, ` + "`partition`" + ` and ` + "`group`" + `:

- ` + "`rafka_lag`" + `: entries behind the last acknowledged one
- ` + "`rafka_lag_seconds`" + `: age of the oldest entry that is not acknowledged
- ` + "`rafka_oldest_unacked_seconds`" + `: how long ago the oldest message that is not acknowledged was handed out first
- ` + "`rafka_last_read_seconds`" + `: time since entries last came
- ` + "`rafka_commits_total`" + `, ` + "`rafka_fenced_total`" + `, ` + "`rafka_lost_entries_total`" + `, ` + "`rafka_recreated_total`" + `
- ` + "`rafka_redelivered_total`" + `, ` + "`rafka_skipped_total`" + `

and without ` + "`partition`" + `: ` + "`rafka_partitions_assigned`" + `, ` + "`rafka_rebalances_total`" + `.
`

// groupFields say what is read, and as whom.
func groupFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(fieldStreamName).
			Description(
				"The topic to read: at most 249 characters, as in Kafka, and none that is not seen. So are the names of groups, consumers and instances.",
			).Example("orders"),
		service.NewStringField(fieldConsumerGroup).
			Description(
				"The consumer group that this input is a member of. Groups are independent of each other: each reads everything.",
			).Example("billing"),
		service.NewStringField(fieldConsumerName).
			Description("A name for this member, for people. It need not be unique. Empty: the name of the host.").
			Default(""),
		service.NewStringField(fieldInstanceID).
			Description(
				"Makes this a static member, as Kafka's `group.instance.id` does: the group knows it by this name, which no other input of the group may " +
					"have at the same time, and which survives a restart. See [Restarts](#restarts). Empty: every start makes a new member.",
			).
			Default("").Example("${HOSTNAME}").Advanced(),
		service.NewStringField(fieldStartOffset).
			Description(
				"Where to begin partitions for which the group has no offset yet: `earliest`, `latest`, a time (RFC 3339) or the ID of an entry, both " +
					"inclusive. With `latest`, partitions that are added later are still read from their first entry.",
			).
			Default("earliest").Example("latest").Example("2026-01-31T08:00:00Z").Example("1767225600000-0"),
	}
}

// flowFields say how messages flow.
func flowFields() []*service.ConfigField {
	return []*service.ConfigField{
		config.WholeField(fieldBatchSize).
			Description(
				"The most messages of a batch. A batch is handed out as soon as there is anything, and never mixes partitions.",
			).
			Default(500),
		service.NewObjectField(fieldUnordered,
			service.NewBoolField(fieldEnabled).
				Description(
					"Hand out the next messages of a partition before the last have been acknowledged.",
				).Default(false),
			config.WholeField(fieldCheckpointLimit).
				Description("The most messages of a partition that may be unacknowledged.").Default(1024),
			config.WholeField(fieldMaxAhead).
				Description(
					"The most messages of a partition from the committed offset to the last one handed out. While a message keeps failing, those "+
						"behind it are processed and nothing of them is committed: so many are processed again at most after a crash. At this bound the "+
						"partition waits, and the log names the message that holds it.",
				).Default(1_000_000),
		).Description("Gives up the order of messages for more parallelism than there are partitions.").Advanced(),
		service.NewStringField(fieldPartitionBuffer).
			Description("How much of one partition may be read ahead, within one read.").Default("1MB").Advanced(),
		service.NewStringField(fieldFetchMax).
			Description("How much may be read ahead in all.").Default("50MB").Advanced(),
		service.NewStringField(fieldBodyKey).
			Description(
				"The field of an entry that holds the message. An entry without it becomes a JSON object of its fields, as all do if this is empty.",
			).
			Default("body").Advanced(),
		service.NewBoolField(fieldReplayNacks).
			Description(
				"Whether batches that were rejected are handed out again. If not, they are passed over as a whole, since Benthos can't say reliably which " +
					"messages of them failed, and `rafka_skipped_total` counts all their messages.",
			).Default(true),
		service.NewStringAnnotatedEnumField(fieldOnDataLoss, map[string]string{
			lossContinue: "Log and count what was lost, and go on with what is there.",
			lossFail:     "Stop reading that partition, with an error, until the group is moved past the loss.",
		}).Description("What to do when entries were trimmed or deleted before they were read, or the stream went back in time.").
			Default(lossContinue).Advanced(),
	}
}

// timingFields say when things happen.
func timingFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewDurationField(fieldCommitPeriod).
			Description(
				"How often offsets are committed. They are always committed when a partition is handed over or the input stops.",
			).Default("1s").Advanced(),
		service.NewDurationField(fieldSessionTimeout).
			Description(
				"How long the group waits for a member that is not heard of before others take its partitions over.",
			).Default("10s").Advanced(),
		service.NewDurationField(fieldHeartbeat).
			Description(
				"How often the member is heard of: at most a third of `session_timeout`. Default: 3s, or a third of `session_timeout` if that is less.",
			).
			Optional().Example("3s").Advanced(),
		service.NewDurationField(fieldRebalance).
			Description(
				"How long a partition that is handed over may wait for messages that are in the pipeline.",
			).Default("30s").Advanced(),
		service.NewDurationField(fieldRefreshMetadata).
			Description(
				"How often at least to look for new partitions of the topic. Every heartbeat looks too.",
			).Default("10s").Advanced(),
		service.NewDurationField(fieldRefreshLag).
			Description("How often lag is sampled and streams are looked over for loss.").Default("5s").Advanced(),
	}
}
