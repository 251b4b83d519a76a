// Package appender writes records to partitions so that they arrive in order and once, over a store that may answer late, twice, or
// not at all. It knows neither Redis nor Benthos: it asks a Log, and tests ask it under a simulated clock.
//
// # Terms
//
// A partition is named by its Target.Key and has a queue. An append is one call of the store for one partition: some records under
// one number. While it is tried it is a flight. A round is the appends that travel to one node together. A writer is the goroutine
// that sends rounds; each node has two, which share its partitions. A Pending is what the caller of Append holds until its records have
// an outcome.
//
// # Order
//
// A partition has one append in flight, and the next one is cut from the queue only when that one has its outcome. So appends can't
// overtake each other, whatever is retried, and no window has to be kept. Speed comes from group commit: what is queued meanwhile
// joins the next append, up to 1000 records and 1 MiB, or one larger record. A retry is the same append: the same records under the
// same number. Nothing joins it, or the store could not tell what it has.
//
//	Append ──> queue ──cut──> flight ──round──> Log.Append
//	                            │                   │
//	                            │<── back-off ──────┤ Refused, Unknown
//	                            │<── new number ────┤ Gap, Stale
//	           Pending <────────┴── outcome ────────┘ the others, or given up
//
// A writer takes all of its flights that are ready. One that backs off is in no round until its timer is due, and nodes don't
// wait for each other: a refused partition and a dead node each stop only what is theirs. Before every attempt the Log is asked anew
// which node has the partition, so one that moved goes on elsewhere.
//
// # Once
//
// The store keeps, for each producer and partition, the epoch and number of the last append that it wrote, and writes both in one
// step. It compares: a lower epoch is Stale; the same epoch and a number not above its own is a Duplicate; the next number is
// written, as is any number of a higher epoch, or if nothing is stored; beyond is a Gap. What follows here:
//
//   - Written, Duplicate: the number is used, the records are written.
//   - Refused, Failed, Partitioned: certainly not written. The number is free; if the records fail, the next ones take it.
//   - Unknown: written, or not, or yet to be written by a request that is still on its way. The retry finds out, as only one of the
//     two can be written. If it is given up, nothing ever finds out, and the number must not be used for other records: the store
//     would take them for a Duplicate and drop them. So the epoch grows, and as soon as anything of the new epoch is written, the
//     request that is still on its way is Stale. Until then it may be written, which is its place.
//   - Partial: some records are written, but the number is neither used nor free. The epoch grows.
//   - Gap: the store lost appends that it had acknowledged (a failover, a restart without its last seconds, which also end the
//     requests that were on their way). It lost this one's attempts too if there were any, so it is not written: it goes out again
//     at once in a new epoch. Who asked for the lost ones has long been told that they are written; the Observer is told now, and how
//     many records they had: the last appends are remembered, and the store says which one it knows. It says so with Written too, for
//     what is lost of an earlier epoch leaves no gap.
//   - Stale: the store knows a higher epoch. The append goes out again above that, unless an attempt's outcome is unknown: that one
//     may have been written before the higher epoch came, and the records fail. As the producer's name is random, this should not
//     happen.
//
// Records that fail after an attempt whose outcome is unknown carry a GaveUpError with MayBeWritten. All other errors mean: not written.
// So, for each partition, the log holds the records in the order of the calls, each at most once; all those that were reported as
// written, save what the store has lost; none that was reported as failed, save those with MayBeWritten. Without a
// Producer there are no numbers: a retry after Unknown may write twice, and what was given up may come late.
//
// # Memory
//
// A queue that holds nothing is small, but topics with interpolated names come and go, so queues that nobody used for a while are
// forgotten, and their numbers with them. A queue that is made anew begins with an epoch above the highest one of any that
// was forgotten, hence above all that this producer ever used for the key: the store accepts it, and it fences
// whatever is left from before. No clock and no agreement on expiry is needed for that. The price is that a Gap between
// the two lives of a queue goes unseen.
//
// # Ownership
//
// One lock guards all queues. It is never held while the Log, the Observer or a Backoff is called. While a flight is in the air it
// belongs to its writer alone. A writer's goroutine begins when a queue of its own becomes ready and ends when none is; Close joins
// them all, and the timers.
package appender
