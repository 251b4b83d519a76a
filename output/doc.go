// Package output is the Benthos batch output rafka: it writes messages to the partitions of topics,
// as a Kafka producer does.
//
// The way of a batch:
//
//  1. The engine calls WriteBatch (output.go). A batch that was left unfinished before is
//     recognised and goes on where it stopped (resume.go); a new one becomes a job (write.go).
//  2. stream_name, key and partition are evaluated for each message (record.go), which becomes a
//     record. What is wrong with one message is the outcome of that message alone.
//     Messages of a rafka input that come out of order are counted (reorder.go).
//  3. The topics are looked up, or created (topics.go), and the batch is cut by partition
//     (route.go, partitioner.go).
//  4. Each cut goes to the appender, which writes it exactly once and in order, with retries of its
//     own timed by retry.go.
//  5. The job waits for all partition batches. Those that met a topic which has been partitioned meanwhile go
//     back to step 3.
//  6. If retries last and the server turns out not to answer (health.go), the job is suspended and the
//     engine is told so: it calls Connect until the server is back, and then WriteBatch with the
//     same batch. The records stay with the appender meanwhile.
//  7. The outcomes become one BatchError that names each message which was not written, or nil
//     (write.go).
//
// Three rules keep the engine from running in circles. WriteBatch says "not connected" only if the
// next Connect fails for the same reason. After an error that stays until somebody mends its cause,
// nothing is written before Connect has found it mended. Connect itself fails as long as writing
// would.
package output
