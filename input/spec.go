package input

import (
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
	fieldUnordered       = "unordered_processing"
	fieldEnabled         = "enabled"
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
	fieldAdoptIdle       = "adopt_idle"
	fieldDeadLetter      = "dead_letter"
	fieldDeleteOnAck     = "delete_on_ack"
	fieldReplayNacks     = service.AutoRetryNacksToggleFieldName

	// Fields of dead_letter.
	fieldLetterTopic   = "stream_name"
	fieldMaxDeliveries = "max_deliveries"
	fieldLetterBackoff = "backoff"
	fieldMinAge        = "min_age"
	fieldMatch         = "match"
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
		Field(deadLetterField()).
		Fields(timingFields()...).
		LintRule(config.JoinLintRules(config.ConnectionLintRule(), lintRule)).
		Example("Read a topic",
			"Any number of processes can run this: they share the partitions of `orders`, and messages with the same "+
				"key stay in order.", exampleRead).
		Example("Keep the order of each key, and nothing more",
			"Lets a plain stream, or a topic with few partitions, use all threads of a slow pipeline. Messages of one "+
				"customer stay in order. A message that keeps failing delays the messages of its own customer, and "+
				"no others.", exampleByKey).
		Example("Share slow work among any number of members",
			"Each message of `jobs` goes to one of the processes that run this, whatever the others work on. What a "+
				"process that ends had not finished is taken over by the others.", exampleShare).
		Example("Set aside messages that always fail",
			"A message that has failed five times becomes a dead letter in the topic `orders-dead`, and its partition "+
				"goes on. `rafka deadletter` lists, shows and replays such messages. While the server is down, no "+
				"message is set aside.", exampleDeadLetters).
		Example("Let the status of a server decide which messages are set aside",
			"Messages that the server rejects permanently are set aside one by one, and messages that failed for "+
				"another reason are handed out again. (A `fallback` around `http_client` would set aside whole "+
				"batches.)",
			exampleByStatus)
}

// deadLetterField says when messages are given up.
func deadLetterField() *service.ConfigField {
	return service.NewObjectField(fieldDeadLetter,
		service.NewStringField(fieldLetterTopic).
			Description("The topic of the dead letters, on the same server. Empty: no message is given up. Without "+
				"metadata, as `rafka topic create` writes it, it is a plain stream, which the first letter creates.").
			Default("").Example("orders-dead"),
		config.WholeField(fieldMaxDeliveries).
			Description("How often a message must fail before it is given up. Only deliveries count in which it was "+
				"alone in its batch and no other batch of the process failed. See [Dead letters](#dead-letters).").
			Default(defaultMaxDeliveries),
		service.NewDurationField(fieldLetterBackoff).
			Description("The wait before the last of these deliveries. The waits before it are shorter: each is half "+
				"of the next.").
			Default(defaultLetterBackoff),
		service.NewDurationField(fieldMinAge).
			Description("How long a message must have failed before it is given up while there is no other message "+
				"that can show whether the output works.").
			Default(defaultMinAge).Advanced(),
		service.NewStringListField(fieldMatch).
			Description("Regular expressions (RE2). A message whose error matches one of them is given up at the "+
				"first failure that counts.").
			Default([]any{}).Example([]any{"(?i)invalid", "status code 4(00|13|22)"}),
	).Description("Gives up messages that keep failing: writes them to another topic, with their origin and the " +
		"error, and goes on behind them. See [Dead letters](#dead-letters).")
}

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
		service.NewStringField(fieldAdoptIdle).
			Description("In a share group: takes over messages that are pending at consumers of other programs in " +
				"the Redis consumer group, if they were not delivered or claimed for this long. Empty: never. Set " +
				"it to more than these programs ever need for a message. It does not concern members of rafka: what " +
				"they hold is taken over when their session has ended.").
			Default("").Example("10m").Advanced(),
		service.NewBoolField(fieldDeleteOnAck).
			Description("In a share group: deletes messages from the stream once they are acknowledged. As long as " +
				"any other group reads the topic, messages are acknowledged and not deleted, and the log names " +
				"that group. See [Share groups](#share-groups).").
			Default(false).Advanced(),
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
		service.NewObjectField(
			fieldUnordered,
			service.NewBoolField(
				fieldEnabled,
			).Description(
				"Whether messages are processed without order.",
			).Default(
				false,
			),
		).Description("The name that other inputs give to `ordering`: `enabled: true` is `ordering: none`.").
			Optional().Deprecated(),
		service.NewStringField(fieldOrderKey).
			Description(
				"The field of an entry that holds the key within which messages stay in order. Entries without " +
					"this field have no order among each other with `ordering: key`. Set it for entries that other " +
					"programs write.",
			).
			Default(broker.KeyField).Advanced(),
		config.WholeField(fieldCheckpointLimit).
			Description("With `ordering` `key` or `none`, the most messages of a partition that are in the pipeline. " +
				"In a share group, the most messages of this member, of all partitions together.").
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
				"partitions, or its messages in a share group.").
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
