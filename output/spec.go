package output

import (
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
)

// The names of the fields.
const (
	fieldStreamName      = "stream_name"
	fieldPartitions      = "partitions"
	fieldPartitioner     = "partitioner"
	fieldKey             = "key"
	fieldPartition       = "partition"
	fieldBodyKey         = "body_key"
	fieldMetadata        = "metadata"
	fieldIdempotentWrite = "idempotent_write"
	fieldMaxMessageBytes = "max_message_bytes"
	fieldMaxLength       = "max_length"
	fieldMaxAge          = "max_age"
	fieldMaxRetries      = "max_retries"
	fieldBackoff         = "backoff"
	fieldMaxInFlight     = "max_in_flight"
	fieldBatching        = "batching"
)

// excludePrefixes is the only field of the field metadata.
const excludePrefixes = "exclude_prefixes"

func init() {
	service.MustRegisterBatchOutput(
		"rafka",
		spec(),
		build,
	)
}

// build returns an output for the engine, which also applies its batching and max_in_flight.
func build(conf *service.ParsedConfig, mgr *service.Resources) (
	out service.BatchOutput, batching service.BatchPolicy, maxInFlight int, err error,
) {
	set, err := parse(conf)
	if err != nil {
		return nil, batching, 0, err
	}
	return newOutput(set, mgr), set.batching, set.maxInFlight, nil
}

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Categories("Services").
		Summary(
			"Writes messages to a topic of partitioned Redis Streams, with the programming model of a Kafka producer.",
		).
		Description(description).
		Fields(config.ConnectionFields()...).
		Fields(addressFields()...).
		Fields(recordFields()...).
		Fields(deliveryFields()...).
		LintRule(config.JoinLintRules(config.ConnectionLintRule(), lintRule)).
		Example(
			"Write to a partitioned topic",
			"Creates the topic `orders` with 12 partitions if it does not exist. "+
				"Messages of one customer are written to one partition and stay in order.",
			`
output:
  rafka:
    url: redis://localhost:6379
    stream_name: orders
    partitions: 12
    key: ${! json("customer_id").or("") }
`,
		).
		Example(
			"Write batches",
			"Collects messages for throughput. Always set `period`: without it, messages that do not "+
				"fill the `count` wait until more messages arrive.",
			`
output:
  rafka:
    url: redis://localhost:6379
    stream_name: events
    batching:
      count: 1000
      period: 100ms
`,
		).
		Example(
			"Choose topic and partition per message",
			"Writes each message to the topic of its tenant, and to the partition that the message names.",
			`
output:
  rafka:
    url: redis://localhost:6379
    stream_name: events-${! @tenant }
    partitions: 8
    partitioner: manual
    partition: ${! json("shard") % 8 }
`,
		)
}

// description contains ~ in place of backquotes.
var description = strings.ReplaceAll(`
Each message becomes one entry of a Redis stream. The field ~body~ contains the message, the field
~rafka_key~ contains its key if it has one, and every metadata value is one more field. A topic with
partitions is one stream per partition, named ~<stream_name>:<number>~. A topic that was not created
with partitions is one plain Redis stream with the name of the topic, so any existing stream can be
written to.

The trace context of a message is written too, in the fields ~traceparent~ and ~tracestate~ (W3C
Trace Context). Metadata with these names, or with the name of another field that the entry already
has, is not written. Such metadata is counted, unless it belongs to the same trace.

### Partitioning

A message with a key is written to the partition ~(murmur2(key) & 0x7fffffff) % partitions~, as
Kafka's own producer does, so messages of one key stay in order. Messages without a key are spread
over the partitions, but those of one batch stay together. An empty key counts as no key.

### Order

Messages of one partition are written in the order in which they reach the output. The engine itself
can reorder batches if ~max_in_flight~ is greater than 1, so it defaults to 1 if ~key~ is set.
Batches of an ordered ~rafka~ input stay in order with any value, as long as they stay whole. For
strict order, processors that divide batches (~split~, ~group_by~) and other inputs need
~max_in_flight: 1~, and other inputs also need ~pipeline.threads: 1~.

### Failures

Writing is idempotent: every append carries a sequence number. If the reply to an append is lost and
the append is sent again, the server recognizes it and does not write it twice. The output itself
retries temporary errors, see ~max_retries~ and ~backoff~. While Redis is not available, the output
is not connected: it keeps the messages that it has, the readiness endpoint reports it, and writing
continues when Redis is available again.

If a message can't be written (empty topic name, unknown partition, too many bytes), it fails with
the reason. The other messages of its batch are written. With ~processors~ in ~batching~ the whole
batch fails instead and is sent again, because the engine can't report which message a failed one
was made from. Messages may then be written a second time, but no message is lost.

### Metrics

- ~rafka_append_retries_total~: failed attempts to append that were repeated
- ~rafka_append_deduplicated_total~: appends that an earlier attempt had already written
- ~rafka_append_gaps_total~: how often Redis lost appends that it had acknowledged
- ~rafka_append_lost_entries_total~: entries in these lost appends
- ~rafka_reordered_total~: messages of a ~rafka~ input that arrived after a later message of their key
- ~rafka_metadata_dropped_total~: metadata values that were not written, see above

The first four metrics have the labels ~topic~ and ~partition~, the others have the label ~topic~.
`, "~", "`")

// addressFields are the fields for where a message is written.
func addressFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewInterpolatedStringField(fieldStreamName).
			Description(
				"The topic to write to. Its name can depend on the message. A message fails if its topic name is " +
					"empty, longer than 249 characters or otherwise invalid. A name with a tag in braces, as in " +
					"`{tenant}:orders`, puts all partitions into one slot of a Redis Cluster.",
			).
			Example("orders").Example("orders-${! @region }"),
		config.WholeField(fieldPartitions).
			Description(
				"Create the topic with this many partitions (a whole number from 1 to 100000) if it has no " +
					"metadata in Redis. An existing topic keeps its number of partitions; a different number is " +
					"logged as a warning. Without this field, a topic that does not exist becomes one plain " +
					"stream.",
			).
			Optional().Example(12),
		service.NewStringAnnotatedEnumField(fieldPartitioner, map[string]string{
			murmur2Hash: "By the hash of `key`, as Kafka does. Messages without a key are spread over the " +
				"partitions, but those of one batch stay together.",
			roundRobin: "Each message goes to the next partition. Keys are not allowed, because their messages " +
				"would lose their order.",
			manual: "Each message goes to the partition in the field `partition`.",
		}).
			Description("How the partition of a message is chosen.").
			Default(murmur2Hash),
		service.NewInterpolatedStringField(fieldKey).
			Description(
				"The key of the message. It determines the partition and is stored in the entry. An empty key " +
					"counts as no key: use `.or(\"\")` if a value can be missing, because an interpolation " +
					"without a value results in the text `null`.",
			).
			Optional().Example(`${! json("customer_id").or("") }`).Example(`${! @kafka_key.or("") }`),
		service.NewInterpolatedStringField(fieldPartition).
			Description(
				"The number of the partition, from 0. Required by `partitioner: manual`, and not allowed " +
					"otherwise. A message fails if this is not the number of a partition.",
			).
			Default("").Example(`${! @partition }`),
	}
}

// recordFields are the fields for what is written.
func recordFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(fieldBodyKey).
			Description(
				"The field of the entry that contains the message. If this is empty, the message must be a JSON " +
					"object, and its members become the fields of the entry (strings unchanged, other types as " +
					"JSON).",
			).
			Default("body").Advanced(),
		metadataField(),
		service.NewStringField(fieldMaxMessageBytes).
			Description(
				"The maximum size of a message with its key, its metadata and the names of its fields. A larger " +
					"message fails. The limit of Redis is 512MiB.",
			).
			Default("64MB").Advanced(),
		config.WholeField(fieldMaxLength).
			Description(
				"Trim each partition to about this many entries when appending; 0 means no limit. Entries are " +
					"trimmed even if no group has read them.",
			).
			Default(0),
		service.NewStringField(fieldMaxAge).
			Description(
				"Trim entries that are older than this when appending, by the clock of Redis; empty means no limit. " +
					"Entries are trimmed even if no group has read them.",
			).
			Default("").Example("24h"),
	}
}

// metadataField accepts any value. If it were declared as an object, the linter would reject a list
// without the name of the field, and would not call check.
func metadataField() *service.ConfigField {
	return service.NewAnyField(fieldMetadata).
		Description(
			"The metadata that is not written: an object with the field `" + excludePrefixes + "`, a list of key " +
				"prefixes. All other metadata is written, strings unchanged and other types as JSON. Keys that begin " +
				"with `rafka_` are never written.",
		).
		Default(map[string]any{excludePrefixes: []any{}}).
		Example(map[string]any{excludePrefixes: []any{"internal_"}})
}

// deliveryFields are the fields for how messages are written.
func deliveryFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewBoolField(fieldIdempotentWrite).
			Description(
				"Number all appends. If the reply to an append is lost and the append is repeated, the server " +
					"recognizes the number and does not write the append twice.",
			).
			Default(true).Advanced(),
		config.WholeField(fieldMaxRetries).
			Description(
				"The maximum number of retries of an append after temporary errors; 0 means that only the time in " +
					"`backoff` limits them.",
			).
			Default(0).Advanced(),
		service.NewBackOffField(fieldBackoff, true, defaultBackoff()).
			Description(
				"The time between retries, and how long retries continue before the messages fail. Time in which " +
					"Redis is not available does not count: the output waits for Redis.",
			).
			Advanced(),
		config.WholeField(fieldMaxInFlight).
			Description(
				"The maximum number of batches that are written at the same time. Defaults to 1 if `key` is set, " +
					"because the engine does not keep the order of batches that are written together, and to 64 " +
					"without a key. With a value above 1, messages of one key can be written out of order, unless " +
					"they arrive in whole batches from an ordered `rafka` input. `rafka_reordered_total` counts " +
					"messages of a `rafka` input that arrive out of order.",
			).
			Optional().Example(1).Example(64),
		service.NewBatchPolicyField(fieldBatching).
			Description(
				"Collect messages into batches. Batches are written faster, but batches that arrive at the same " +
					"time are written together in any case. Always set `period` with `count` or `byte_size`: " +
					"messages that do not fill a batch wait until the period ends. Without a period they wait " +
					"forever if the pipeline ends or the input waits for acknowledgements.",
			),
	}
}

// defaultBackoff retries for longer than a restart of Redis takes.
func defaultBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(2*time.Second), backoff.WithMaxElapsedTime(2*time.Minute))
}
