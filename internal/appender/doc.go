// Package appender writes records to partitions so that they arrive in order and once, over a store
// that may answer late, twice, or not at all. It does not depend on Redis or Benthos: it calls a
// Store, and the tests implement the Store in memory under a simulated clock.
//
// # Terms
//
//   - A partition is identified by Target.Key. It has a queue.
//   - An append writes some records of one partition under one number. A Request is the append as it
//     is sent to the Store.
//   - A batch is the append that a partition is sending, with all its retries.
//   - A round is the appends that are sent to one node together.
//   - A writer is a goroutine that sends rounds. Each node has two writers, which share the
//     partitions of the node.
//   - A Pending is what Append returns to its caller: the outcome of the records, later.
//
// # Order
//
// A partition has one batch in flight. The next batch is taken from the queue when the outcome of
// the current one is known. So batches can't overtake each other, whatever is retried. Throughput
// comes from group commit: records that are queued in the meantime form the next batch, up to 1000
// records and 1 MiB, or one larger record. A retry sends the same append: the same records under
// the same number. No record joins it, or the store could not recognize the append.
//
//	Append --> queue --fill--> batch --round--> Store.Append
//	                             |                  |
//	                             |<-- back-off -----+ Refused, Unknown
//	                             |<-- new number ---+ Gap, Stale
//	           Pending <---------+-- outcome -------+ all others, or without a retry left
//
// A writer takes all of its queues that are ready. A queue that backs off is in no round until its
// timer fires, and nodes do not wait for each other: a partition that the store refuses stops only
// itself, and a dead node stops only its partitions. Before every attempt the Appender asks the Store
// for the node of the partition, so a partition that has moved continues on its new node.
//
// # Once
//
// For each producer and partition, the store keeps the epoch and the number of the last append that
// it wrote, and stores them in the same step as the records. It compares the number of an append
// with the stored number:
//
//   - A lower epoch: Stale.
//   - The same epoch, and a number that is not higher: Duplicate.
//   - The next number, any number of a higher epoch, or no stored number: the records are written.
//   - A number beyond the next one: Gap.
//
// The table in transition.go lists what follows from each answer. The reasons are:
//
//   - Written, Duplicate: the number is used, and the records are written.
//   - Refused, Failed, Partitioned: the records are certainly not written. The number is free. If
//     these records fail, the next append takes the number.
//   - Unknown: the records are written, or not written, or will be written by a request that is
//     still on its way. A retry under the same number finds out, because the store writes only one
//     of the two requests. Without a retry left, the outcome stays unknown, and the number must
//     not be used for other records: the store would take them for a Duplicate and drop them. So a
//     new epoch begins. As soon as an append of the new epoch is written, the request that is still
//     on its way becomes Stale. Until then the store may write it, which is its place in the order.
//   - Partial: some of the records are written, but the number is neither used nor free. A new
//     epoch begins.
//   - Gap: the store lost appends that it had acknowledged. Examples are a failover, or a restart
//     that lost the last seconds; both also end the requests that were on their way. The store has
//     not even the previous append, so it has no attempt of this one. The append is sent again
//     immediately in a new epoch. The lost records were already reported as written. The Observer
//     is notified, with the number of lost records: the Appender remembers its last appends, and
//     the store returns the last number that it knows. The store returns that number with Written
//     too, because a loss from an earlier epoch does not cause a Gap.
//   - Stale: the store knows a higher epoch. The append is sent again in an even higher epoch. If
//     an earlier attempt has an unknown outcome, it may have been written before the higher epoch
//     began, so the records fail instead. The name of a producer is random, so Stale should not
//     happen.
//
// Records that fail after an attempt with an unknown outcome get a GaveUpError with MayBeWritten.
// Every other error means: not written. For each partition, the stream contains the records in the
// order of the calls, each at most once. It contains all records that were reported as written,
// except those that the store lost. Records that were reported as failed are not in the stream,
// except records with MayBeWritten.
//
// Appends without a Producer have no numbers. Then a retry after Unknown can write records twice,
// and records that failed with MayBeWritten can be written late.
//
// # Memory
//
// An idle queue is small, but interpolated topic names come and go. So the Appender forgets queues
// that were not used for a while, with their numbers. A new queue begins with an epoch above the
// highest epoch of any forgotten queue. That is above all epochs that this producer ever used for
// the key, so the store accepts the new epoch, and it fences requests of the old one. No clock and
// no agreement on expiry is needed. The price is that a Gap between two lives of a queue is not
// detected.
//
// # Ownership
//
// One lock guards all queues. It is not held while the Store, the Observer or a Backoff is called. A
// batch in flight belongs to its writer alone. Its goroutine starts when a queue becomes
// ready and ends when none is ready. Close joins all writers and timers.
package appender
