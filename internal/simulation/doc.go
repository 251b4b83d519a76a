// Package simulation plays the protocols of splits and internal/appender against random misfortune,
// under simulated time: many consumers and producers in one process share an in-memory store, and
// between each of them and the store sits a network that loses requests and replies, delays them,
// or delivers them after their successors. It has tests and nothing else.
//
// One run is a schedule. All that is random in it follows from its seed: how many members,
// partitions and producers there are, how they are set up, which misfortune strikes when, and the
// fate of each single request, so that a seed brings a failure back: mostly, since maps and selects
// still take turns as they like. A schedule has a process and a thread to itself, and every request
// a latency of its own, so that little else happens at the very same instant.
//
// # Who plays
//
// The nemesis strikes: it kills, pauses, suspends, adds, removes, restarts and doubles members,
// takes the store or one of its nodes away, rolls parts of it back, flushes it, moves its clock,
// trims, deletes and evicts, adds partitions, and makes the network bad for a while. A process is
// one Consumer with a pipeline behind it that acknowledges, rejects, dawdles or gets stuck. A
// producer is one Appender. The oracle stands at the store itself: it sees every request when it is
// applied, and every batch when it is handed out.
//
// # What must hold
//
// After every step:
//
//   - One owner per epoch, and epochs of a split only grow. Only the owner of the present epoch
//     commits.
//   - A committed position never covers an entry that nobody has acknowledged, and never moves
//     back, save by a rollback or a reset.
//   - A batch is handed out only by the member that holds the split, unless the store itself broke
//     the lease (its clock jumped, it was rolled back): nothing a member can know of.
//   - In an ordered group, an entry is handed out only when all earlier ones of its key are
//     acknowledged, or are in the same batch before it. First deliveries of a key ascend.
//   - Streams hold the records of each key in order and each once. Losses are reported only after
//     entries were removed.
//   - A stored plan gives every partition to one member that is listed, no member has two more than
//     another, and no more is moved than must be.
//   - Who was told to be fenced hands out nothing more under that epoch. Nothing that is committed
//     is handed out again.
//   - After a silence of all that is longer than a session, the first heartbeat drops nobody. A
//     partition that is younger than its group, or whose position the store has lost, is not begun
//     at its latest entry.
//   - Producers count what a rollback took back, to the record.
//   - Where nothing but coming and going happens, what README promises of that holds to the letter
//     (promises_test.go).
//
// When the nemesis has gone home, within a bound: every split is owned by a live member, everything
// that is in the streams was acknowledged and committed, all records have their outcome: those
// reported as written are there unless the store lost them, those reported as not written are not.
// And when all have left, nothing is held any more.
package simulation
