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

// excludePrefixes is the one thing in the field metadata.
const excludePrefixes = "exclude_prefixes"

func init() {
	service.MustRegisterBatchOutput(
		"rafka",
		spec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			set, err := parse(conf)
			if err != nil {
				return nil, service.BatchPolicy{}, 0, err
			}
			return newOutput(set, mgr), set.batching, set.maxInFlight, nil
		},
	)
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
		Example("Write to a partitioned topic", "Creates the topic `orders` with 12 partitions if it does not exist. "+
			"Messages of one customer stay in order, in one partition.", `
output:
  rafka:
    url: redis://localhost:6379
    stream_name: orders
    partitions: 12
    key: ${! json("customer_id").or("") }
`).
		Example(
			"Write batches",
			"Collects messages for throughput. The `period` matters: without it, messages that do not "+
				"fill the `count` "+
				"are held back until more arrive.",
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
			"Sends each message to the topic of its tenant and to the partition "+
				"that it names.",
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

// description has ~ where the documentation has backquotes.
var description = strings.ReplaceAll(`
Each message becomes one entry of a Redis stream: the field ~body~ holds the message, ~rafka_key~ its key if it has one, and each further
field one metadata value. A topic with partitions is one stream per partition, named ~<stream_name>:<number>~. A topic that was not
created with partitions is one plain Redis stream of that very name, so any existing stream can be written to.

The trace that a message is in goes with it, in the fields ~traceparent~ and ~tracestate~ (W3C Trace Context). Metadata of these names,
or of that of another field that the entry has itself, is not written; that is counted unless it belongs to the same trace.

### Partitioning

A message with a key goes to the partition ~(murmur2(key) & 0x7fffffff) % partitions~, as with Kafka's own producer, so that messages of
one key stay in order. Messages without a key are spread, those of one batch together. An empty key is no key.

### Order

Messages of one partition are written in the order in which they reach the output. The engine itself reorders batches when
~max_in_flight~ is greater than 1, which is why it defaults to 1 if ~key~ is set. The ordered ~rafka~ input is safe with any value
while its batches stay whole; processors that cut batches (~split~, ~group_by~) and other inputs need ~max_in_flight: 1~, and other
inputs ~pipeline.threads: 1~ too, for strict order.

### Failures

Writing is idempotent: every append carries a sequence number, so that one whose answer was lost is recognised when it is sent again, and
is not written twice. Errors that pass by themselves are retried inside, see ~max_retries~ and ~backoff~. While Redis can't be reached
the output is not connected: it keeps the messages that it has, the readiness endpoint says so, and writing goes on once Redis is back.

A message that can't be written (an empty topic name, a partition that does not exist, too many bytes) fails with its reason; the other
messages of its batch are written. With ~processors~ in ~batching~ the whole batch fails with it and comes again, since the engine can't
say any more which message a failed one was made of: what was written may be written a second time, and nothing is lost.

### Metrics

- ~rafka_append_retries_total~: attempts to append that failed and were repeated
- ~rafka_append_deduplicated_total~: appends that were recognised as written by an earlier attempt
- ~rafka_append_gaps_total~: times that Redis had lost appends that it had acknowledged
- ~rafka_append_lost_entries_total~: entries in these appends
- ~rafka_reordered_total~: messages from a ~rafka~ input that came behind a later one of the same partition and key
- ~rafka_metadata_dropped_total~: metadata values that were not written because the entry has a field of that name itself

The first four have the labels ~topic~ and ~partition~, the others have ~topic~.
`, "~", "`")

// addressFields say where a message goes.
func addressFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewInterpolatedStringField(fieldStreamName).
			Description(
				"The topic to write to. Its name may depend on the message; one that turns out empty, longer than 249 " +
					"characters or otherwise not allowed fails that message. " +
					"A name with a tag in braces, as in `{tenant}:orders`, puts all its partitions into one slot of a Redis Cluster.",
			).
			Example("orders").Example("orders-${! @region }"),
		config.WholeField(fieldPartitions).
			Description(
				"Create the topic with this many partitions (a whole number from 1 to 100000) if it has no metadata in " +
					"Redis. A topic that exists keeps its own number, with a " +
					"warning if it differs. Without this field a topic that does not exist is one plain stream.",
			).
			Optional().Example(12),
		service.NewStringAnnotatedEnumField(fieldPartitioner, map[string]string{
			murmur2Hash: "Kafka's own: by the hash of `key`; messages without a key are spread, those of one batch together.",
			roundRobin: "Each message goes to the next partition, whatever it holds. Keys are not allowed, as their messages " +
				"would lose their order.",
			manual: "Each message goes to the partition that the field `partition` gives.",
		}).
			Description("How the partition of a message is chosen.").
			Default(murmur2Hash),
		service.NewInterpolatedStringField(fieldKey).
			Description(
				"The key of the message, which decides on its partition and is stored with it. An empty key is no key: " +
					"use `.or(\"\")` where a value " +
					"may be missing, since an interpolation without value gives the text `null`.",
			).
			Optional().Example(`${! json("customer_id").or("") }`).Example(`${! @kafka_key.or("") }`),
		service.NewInterpolatedStringField(fieldPartition).
			Description(
				"The number of the partition, from 0. Only with, and required by, `partitioner: manual`. A message for " +
					"which it gives no number of a partition fails.",
			).
			Default("").Example(`${! @partition }`),
	}
}

// recordFields say what is written.
func recordFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(fieldBodyKey).
			Description(
				"The field of the entry that holds the message. Empty: the message must be a JSON object, whose " +
					"members become the fields of the entry " +
					"(strings as they are, other types as JSON).",
			).
			Default("body").Advanced(),
		metadataField(),
		service.NewStringField(fieldMaxMessageBytes).
			Description(
				"The most bytes that a message may have with its key, its metadata and the names of its fields, at most " +
					"512MiB, which is what Redis takes. One that has more fails.",
			).
			Default("64MB").Advanced(),
		config.WholeField(fieldMaxLength).
			Description(
				"Trim each partition to about this many entries when appending; 0 is no limit. Trimmed entries are " +
					"gone even if nobody has read them.",
			).
			Default(0),
		service.NewStringField(fieldMaxAge).
			Description(
				"Remove entries that are older when appending, by the clock of Redis; empty is no limit. Trimmed " +
					"entries are gone even if nobody has read them.",
			).
			Default("").Example("24h"),
	}
}

// metadataField is declared as one for anything: one that is declared as an object makes the linter
// answer a list without naming the field, and keeps it from asking check.
func metadataField() *service.ConfigField {
	return service.NewAnyField(fieldMetadata).
		Description(
			"Which metadata is left out: an object whose `" + excludePrefixes + "` lists what its keys begin with. All else is " +
				"written, strings as they are and other types as JSON. Keys that begin with `rafka_` are never written.",
		).
		Default(map[string]any{excludePrefixes: []any{}}).
		Example(map[string]any{excludePrefixes: []any{"internal_"}})
}

// deliveryFields say how it is written.
func deliveryFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewBoolField(fieldIdempotentWrite).
			Description(
				"Number all appends, so that one whose answer was lost is recognised when it is repeated, and is not " +
					"written twice.",
			).
			Default(true).Advanced(),
		config.WholeField(fieldMaxRetries).
			Description(
				"How often an append is repeated that failed for a reason that passes by itself; 0 is no limit but the " +
					"time of `backoff`.",
			).
			Default(0).Advanced(),
		service.NewBackOffField(fieldBackoff, true, defaultBackoff()).
			Description(
				"The time between retries, and how long they go on before the messages fail. While Redis can't be " +
					"reached at all the time does not count: the " +
					"output waits for it.",
			).
			Advanced(),
		config.WholeField(fieldMaxInFlight).
			Description(
				"How many batches may be written at the same time. Defaults to 1 if `key` is set, because the engine does " +
					"not keep the order of batches that are written together, and to 64 without a key. With a value above 1 messages " +
					"of one key may be written out of order, unless they come in whole batches from an ordered `rafka` input. " +
					"`rafka_reordered_total` counts messages of a `rafka` input that come out of order.",
			).
			Optional().Example(1).Example(64),
		service.NewBatchPolicyField(fieldBatching).
			Description(
				"Collect messages into batches. Batches are written faster, but arriving batches are written together " +
					"anyway. Always set `period` with `count` or " +
					"`byte_size`: messages that fill no batch are held back until it has passed, and without it a pipeline that " +
					"ends, or an input that waits for its " +
					"acknowledgements, waits for ever.",
			),
	}
}

// defaultBackoff is long enough to outlast a restart of Redis.
func defaultBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(2*time.Second), backoff.WithMaxElapsedTime(2*time.Minute))
}
