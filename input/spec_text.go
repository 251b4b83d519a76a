package input

import "strings"

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
    dead_letter:
      stream_name: orders-dead
      max_deliveries: 5
      match: ['response code \((400|413|422)\)'] # rejected permanently: given up at the first failure

output:
  http_client:
    url: http://localhost:8080/orders
    verb: POST
    drop_on: [400, 413, 422] # not retried by the output itself
`

const exampleByStatus = `
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

const exampleShare = `
input:
  rafka:
    url: redis://localhost:6379
    stream_name: jobs
    consumer_group: workers
    group_type: share
    checkpoint_limit: 100 # messages that one member has in the pipeline
    batch_size: 1

pipeline:
  threads: 16
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

### Dead letters

With ~dead_letter~, a message that keeps failing is given up: it is written to another topic, and counts
as processed. A failure counts if the message was alone in its batch, and no other batch failed that
was in the pipeline of this process at the same time. After ~max_deliveries~ of them the message is
given up if the output works otherwise: some other message was processed since the first one. If no
other message is in the pipeline, one of another key is handed out first, to find out. If there is
none, the message must have failed for ~min_age~. Three messages are given up in a row at most: then
one must be processed first. So an outage of the output moves no message to the dead letters. The log
and ~/ready~ say that the output seems to be down, and everything goes on when it works again.

The number of failures is stored with the group, and survives members and restarts.
~rafka_delivery_count~ is this number plus 1. A message that was rejected together with others comes
again without a higher count, so 1 does not mean that a message was never delivered before. A letter is
written once. While it can't be written, the message is retried, and the log and ~/ready~ say why. The
letter has the fields of the entry as they were, and its origin in fields that begin with
~rafka_origin_~. ~rafka deadletter~ lists, shows, replays and deletes letters.

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
consumers of other programs have pending there is taken over only with ~adopt_idle~.

With ~delete_on_ack~ an acknowledged message is deleted in the same step, so that the stream holds only
what is still to be done. Nothing is deleted while another group of rafka or any other Redis consumer
group reads the topic. A group that is new begins with what is there: messages that are acknowledged up
to ~session_timeout~ after its first heartbeat may be missing.

The fields ~order_key~, ~max_ahead~, ~partition_buffer_bytes~, ~commit_period~ and ~rebalance_timeout~
have no effect in a share group.

Messages that ~rafka deadletter replay~ wrote back for another group are passed over.

### Metadata

- ~rafka_topic~, ~rafka_partition~, ~rafka_offset~: where the message is stored
- ~rafka_key~: its key, if it has one
- ~rafka_timestamp_ms~: when it was written, by the clock of Redis
- ~rafka_lag~: the number of messages of the partition that were not yet processed, as last sampled
- ~rafka_delivery_count~: 1, and 1 more for each failure that counts (see [Dead letters](#dead-letters))
- ~rafka_origin_topic~, ~rafka_origin_error~ and others: of a dead letter, where it comes from

and all other fields of the entry, except fields with these names. If an entry has trace context in
the fields ~traceparent~ and ~tracestate~ (W3C Trace Context), it becomes the parent of the spans of
its message, and of no other message of the batch.

### Metrics

With the labels ~topic~, ~partition~ and ~group~:

- ~rafka_lag~: entries behind the last acknowledged one; in a share group, entries not yet delivered
- ~rafka_lag_seconds~: age of the oldest entry that is not acknowledged (share group: and was delivered)
- ~rafka_oldest_unacked_seconds~: time since the oldest unacknowledged message was first handed out
- ~rafka_last_read_seconds~: time since entries last arrived
- ~rafka_commits_total~, ~rafka_fenced_total~, ~rafka_lost_entries_total~, ~rafka_recreated_total~
- ~rafka_redelivered_total~, ~rafka_skipped_total~, ~rafka_passed_over_total~
- ~rafka_isolated_total~, ~rafka_dead_lettered_total~: messages that failed alone, and that were given up
- ~rafka_pending_entries~: in a share group, entries that are delivered and not acknowledged
- ~rafka_reclaimed_total~: in a share group, entries that were taken over from dead members, or idle
- ~rafka_kept_entries_total~: in a share group, entries that ~delete_on_ack~ did not delete

and without ~partition~: ~rafka_partitions_assigned~, ~rafka_rebalances_total~.
`, "~", "`")
