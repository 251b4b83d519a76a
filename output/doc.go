// Package output is the Benthos batch output "rafka". It writes messages to the partitions of
// topics, as a Kafka producer does.
//
// A batch takes these steps:
//
//  1. The engine calls WriteBatch (output.go). If an earlier WriteBatch left the same batch
//     unfinished, its job continues (resume.go). Otherwise the batch becomes a new job (write.go).
//  2. The fields stream_name, key and partition are evaluated for each message, and the message
//     becomes a record (record.go). An error in one message fails only this message. Messages of a
//     rafka input that arrive out of order are counted (reorder.go).
//  3. The topics are looked up or created (topics.go), and the batch is divided by partition
//     (route.go, partitioner.go).
//  4. Each partition's records are passed to the appender, which writes them once and in order. The
//     appender retries failed appends, timed by retry.go.
//  5. The job waits for all outcomes. If a topic was partitioned in the meantime, its messages
//     return to step 3.
//  6. If retries continue and the server turns out to be unavailable (health.go), the job is
//     suspended, and WriteBatch returns ErrNotConnected. The engine then calls Connect until the
//     server is available, and WriteBatch with the same batch. The appender keeps the records and
//     continues to retry them in the meantime.
//  7. WriteBatch returns nil, or one BatchError that names each message that was not written
//     (write.go).
//
// Three rules prevent a loop of calls without a pause. WriteBatch returns ErrNotConnected only if
// the next Connect fails for the same reason. After an error that stays until an operator removes
// its cause, nothing is written before Connect succeeds. Connect fails as long as writing would
// fail.
package output
