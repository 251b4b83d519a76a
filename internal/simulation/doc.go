// Package simulation tests the protocols of splits and internal/appender against random faults, in
// simulated time. Unlike internal/ledger (real processes and servers) and internal/pipelines (real
// Benthos components), it replaces everything around these two packages: many consumers and
// producers in one process share a store in memory. A simulated network between each of them and
// the store loses, delays and reorders requests and replies. The package consists of tests only.
//
// One run is a schedule. Its seed determines everything random in it: the number of members,
// partitions and producers, their settings, which fault the nemesis injects when, and what happens
// to every request. The same seed therefore reproduces most failures; the iteration order of maps
// and the choices of select statements still vary. Every schedule runs in its own process with one
// thread, and every request has its own latency, so that few events happen at the same instant.
//
// # Actors
//
// The nemesis injects faults. It kills, pauses, suspends, adds, removes, restarts and duplicates
// members. It makes the store or a node unavailable, rolls parts of the store back, flushes it,
// changes its clock, trims streams, deletes and evicts keys, adds partitions, moves the group,
// makes sinks reject everything, makes the store of letters fail, and makes the network unreliable
// for a while. A process is one splits.Consumer with a pipeline that acknowledges batches, rejects
// them, is slow, or blocks. Some records fail a few times. In two fifths of the schedules entries
// are given up, and some records fail forever. In some schedules, a few records kill: a process
// ends when its pipeline works on such a record, and a supervisor starts the member again shortly
// after that, again and again. If entries are given up, these records are, too. Otherwise they are
// cured when everything else is processed. A producer is one appender.Appender. The oracle sits in
// front of the store: it observes every request when the store applies it, and every batch when a
// member hands it out.
//
// # Invariants
//
// After every step:
//
//   - An epoch has one owner, and the epochs of a split only grow. Only the owner of the current
//     epoch commits.
//   - A committed position never covers an entry that no pipeline has acknowledged. It moves back
//     only in a rollback or a reset.
//   - Only the member that holds the split hands out a batch, unless the store itself broke the
//     lease (its clock jumped, or it was rolled back), which a member can't detect.
//   - In an ordered group, an entry is handed out only when all earlier entries of its key are
//     acknowledged or precede it in the same batch. First deliveries of a key ascend, also under
//     each lease.
//   - An entry is given up only after enough failures of which it must have been the cause: it was
//     alone in its batch, and no other batch of the process failed meanwhile. The process has
//     processed something since the first of them, or it is old enough. No process gives up more
//     than three entries without a success in between.
//   - An entry is given up as one that kills only if at least three processes ended while they had
//     it in flight and nothing else, whatever ended them. A process that has lost its lease without
//     knowing that counts as ended until it has told the store that it is alive, which each process
//     does.
//   - While the store has of a process that an entry is in flight alone, the process hands out
//     nothing else, unless it knows that it has lost the lease of that entry. What it stores if the
//     entry stays in flight for long, or if another batch hangs, says that the entry is not alone.
//   - It is noted that an entry has a letter only when the letter is stored, and the position
//     passes it only then. The next owner does not hand it out, and knows how often other entries
//     failed, unless the store lost data, or did not answer when that owner claimed the split.
//   - Streams hold the records of each key in order, and each record once. Members report losses
//     only after entries were removed.
//   - A stored plan gives every partition to exactly one listed member, no member has two
//     partitions more than another member, and the plan moves as few partitions as possible.
//   - A member that received ErrFenced hands out nothing more under that epoch. Entries that are
//     committed are not handed out again.
//   - If no member sent a heartbeat for longer than a session, the first heartbeat drops no member.
//     A partition that is younger than its group, or whose position the store lost, does not start
//     at its latest entry.
//   - Producers count exactly the records that a rollback removed.
//   - Schedules in which members only join, leave and crash keep what the README promises for that
//     case (oracle_promises_test.go).
//
// Within a bound after the last fault: live members own all splits, every entry in the streams is
// acknowledged and committed, or has a letter, and nothing is stored of failures of entries that
// the positions have passed. Every record has its outcome. Records reported as written are in the
// stream unless the store lost them; records reported as not written are not. After all members
// have left, no split has an owner.
//
// # Share groups
//
// A quarter of the schedules have a share group (the files share_*_test.go). Their producers append
// directly to the store. The nemesis also moves the group and evicts the members. The invariants:
//
//   - An entry is acknowledged only if a pipeline has processed it since it was to be delivered
//     last, or if it is not in the stream any more.
//   - Nothing is taken over from a member that is alive and in its session, and a member does not
//     hand out what is pending at such a member, unless the store itself ended sessions early.
//   - A member does not hand out again what it has processed, unless the group was moved or the
//     store lost data.
//   - An entry that was taken over, and failed at the member before, is handed out alone, with the
//     attempts that were stored. An entry whose letter was noted is not handed out.
//   - An entry is given up as one that kills as in a consumer group: three members ended, or lost
//     their session without knowing it, while they had the entry in flight and nothing else. While
//     the store has of a member that an entry is in flight alone, its process hands out nothing
//     else. A process that counts as ended tells the store that it is alive.
//   - In gentle schedules, everything that was pending at a killed member is taken over within a
//     session and a second.
//   - Within a bound after the last fault, every entry is processed and acknowledged.
package simulation
