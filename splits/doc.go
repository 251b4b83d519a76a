// Package splits implements consumer groups with the semantics of Kafka's: many consumers share the
// partitions of one topic. It works with any store that implements the three interfaces Group,
// Leases and Streams. It knows neither Redis nor Benthos and has no clock of its own, so a test can
// simulate a hundred members and their failures in a second.
//
// # Terms
//
// A topic has splits, one for each partition. A group has members. Each member is a Consumer with
// an ID that no other consumer ever has, except for static members (see below). The plan assigns
// splits to members. A lease makes one member the owner of a split, under an epoch, and carries the
// committed position of the split. An owned split is what a Consumer knows of a split under one
// lease.
//
// # What is authoritative
//
// The leases are. A plan is a proposal: it may be stale, two members may follow different plans,
// and a member may follow none. The worst effect is a claim that is refused until the owner
// releases the split. The store applies a request of a member only if owner and epoch are still
// the same, and checks that in the same step. So safety depends on the lease of one
// split, balance depends on the group, and neither waits for the other.
//
// # The life of an owned split
//
//	          assigned to us           granted
//	(nothing) ────────────> claiming ──────────> reading ──┐
//	    ^                      ^ refused: again when the   │ assigned to another
//	    │                      │ owner's lease ends, or    v
//	    │                      └ at a hint             draining ──> reading, if assigned to us again
//	    │                                                  │ nothing in flight, or DrainFor is over
//	    │      lost: fenced, or not renewed in time        v
//	    └──────────────────── ended <──────────────── committed, released
//
// In the phase reading, entries are fetched, handed out and resolved. In the phase draining, no
// entry is fetched or handed out. In the phase ended, an acknowledgement changes nothing: the phase
// is checked under the same lock under which the entry is resolved, so the committed position does
// not change after it was read for the last time. A split that is claimed again becomes a new owned
// split, which nothing of the old one can change.
//
// # How long a lease is trusted
//
// A lease ends a ttl after the store applied its last renewal. The member does not know when that
// was, except that it was after the member *sent* the renewal. So the member trusts the lease until
// that moment plus the ttl, minus a tenth of the ttl for clocks that run at different speeds. The
// member checks this whenever it hands out a batch, by the monotonic clock and by the wall clock:
// in a process that was paused, or on a machine that was suspended, timers fire late. A batch that
// was handed out earlier may still be in a pipeline when another member takes over. Its commit is
// refused. Its side effects are not.
//
// # Static members
//
// Most members are one Consumer and end with it. A static member keeps its name (Config.Owner).
// Each Consumer that runs under this name is an incarnation. An incarnation gets a number before
// its first beat, and a later one always supersedes an earlier one. The group knows the member
// only, so a new incarnation changes neither the members nor the plan. Leases belong to the
// incarnation, so epoch and owner keep two incarnations apart as they keep any two members apart.
// There is one difference: a lease of an earlier incarnation can be taken over while it is alive.
//
//	          beats, and no later one is alive            a later one has beaten
//	(started) ────────────────────────────────> member ─────────────────────────> standing by
//	                                              ^                                    │
//	                                              └────────────────────────────────────┘
//	                                          beats, and the later one's session has ended
//
// An incarnation that stands by has given up all its splits immediately. Close does not end the
// membership of a static member: the next incarnation may start before the session ends.
//
// # Share groups
//
// A ShareConsumer is a member of a share group. All members read all splits. The store delivers
// each entry to one member, at which the entry is pending until it is acknowledged. Nothing has an
// order.
//
// The members of a share group beat as other members do, but there is no plan and no lease. What
// takes the place of a lease is the name of the member: other members take over everything that is
// pending at a name that is not alive. A member whose session has ended receives ErrGone, drops
// what it has not handed out, and joins under a new name. No name ever comes back, so a name that
// has ended stays dead. A late read of a dead member therefore does no harm: its entries are
// pending at a dead name.
//
//	delivered          handed out            acknowledged          confirmed
//	──────────> ahead ────────────> out ────────────────────> done ──────────> (not pending)
//	   ^                           │   ^
//	   │ found by an audit,        │   │ rejected: handed out again, see isolation
//	   │ or taken over             └───┘
//
// A member is dead if the answer to a beat that was sent after its entries were seen does not list
// it, and the store has recorded its end or it was in no answer for a session. A missing name alone
// proves nothing: the store may have lost its members.
//
// Deliveries whose answer was lost are found by audits: now and then, and after each lost answer, a
// member compares what is pending at its name with what it has. An acknowledgement concerns the
// entry, not the member at which it is pending: an entry that was processed needs no other
// delivery. An acknowledgement carries the generation of the split in the group, which changes when
// entries are to be delivered again. It can delete the entry in the same step, if no other group
// reads it. So an entry that is pending was not deleted; but an entry that was pending and can't be
// loaded is lost only if it is still pending after that.
//
// # Entries that fail
//
// A rejected batch is handed out again in smaller parts until each entry that fails is alone. A
// failure counts if the entry must have been its cause: no other batch of the process failed at the
// same time. The judge counts these failures, and decides which entries are given up. Both kinds of
// groups have one.
//
//	failed alone           failed often enough, and          written and noted
//	────────────> counted ────────────────────────> condemned ────────────────> processed
//	                ^      other entries pass         │
//	                └─────────────────────────────────┘
//	                  the letter can't be written, or the store does not answer
//
// The noter stores the counts: in a consumer group under the lease, in a share group under the
// generation of the split, by the member at which the entry is pending. The next owner or holder of
// the entry receives them. That the letter is written is stored before the entry counts as
// processed. So an entry can get two letters if its member dies in between, but no entry is lost.
// What is stored of an entry is removed when it has been processed.
//
// An entry that fails proves nothing about other entries: what processes them may be down. Evidence
// is an entry that was processed since the first failure that counts. If all entries that may be in
// the pipeline fail, one more is handed out, as a probe.
//
// # Order
//
// Config.Ordering decides what may be in the pipeline at the same time. ByPartition: a split has
// one batch in flight. The next batch is handed out when that one is resolved. Rejected entries are
// handed out again before newer ones, together with the entries behind them in the batch that have
// the same key. ByKey: a split has many batches in flight, no two with entries of one key. Each key
// belongs to a lane, and these rules hold for each lane. Unordered: a split has many batches in
// flight.
//
// The committed position is always the highest one up to which all entries are resolved: the
// tracker computes it. A commit also stores what is resolved behind it, so that the next owner of
// the split skips that.
//
// # Poison
//
// An entry can kill the process that works on it. The lease says what may have done that: the
// suspect, a range of entries behind the position. An owner stores the suspect before it hands the
// entries out, and the claim that takes over a lease which was not released reads it.
//
//	                two takeovers without progress            ttl without a death
//	(not suspected) ──────────────────────────────> lockstep ────────────────────> (not suspected)
//	                                                 │    ^
//	            died: the entries up to the end of   │    │ the position has passed the suspect
//	            the batch are the suspect            v    │
//	                                                one by one ──> condemned
//	                                                   ^ │         after LoneDeaths deaths
//	                                                   └─┘ died: one more death of this entry
//
// In lockstep, a batch is handed out, acknowledged and committed before the next one, and the
// offset of its last entry is stored before. One by one, each batch has one entry. While any split
// of the process is suspected, one suspected batch is in flight in the process, and nothing else.
// Only a death in that state counts: otherwise one death would count for an entry of each split.
// The takeovers alone (Granted.Attempts) count for nothing but lockstep, since outages of the store
// and idle splits cause them too.
//
// The store can't tell an owner that died from one that could not renew its lease. So it counts a
// death at the takeover, and an owner that lost its lease and is alive takes that back
// (Leases.Survive), as soon as it reaches the store again.
//
// A suspect that is in flight for long must not stop the other splits. So after a while the lease
// says that the suspect is not alone any more, and then the other splits continue. If a batch of
// another split hangs, a suspect can't be alone at all: then it is handed out beside that batch,
// and its death does not count.
//
// An entry that has killed LoneDeaths owners gets a letter, as an entry that keeps failing does. If
// that is not possible, it waits, longer after each further death, and everything behind it goes on
// as behind an entry that fails.
//
// A process that was killed for another reason while an entry was in flight alone looks the same. A
// chain of five such kills condemns nothing: two for lockstep, one to find the batch, and then
// LoneDeaths for the same entry.
//
// In a share group, the store counts for each entry how often it was taken over from a member that
// died (Suspected). An entry with fewer than two takeovers is not suspected. The entries with two are
// handed out in lockstep, the others one by one, before everything else of the split. A member stores
// what it has in flight before (Shares.Suspect), so the next takeover counts for these entries only,
// and says which entry was alone. There is no position, so each entry is suspected by itself: when no
// suspect is pending at the member that was not handed out, and a ttl has passed, the split is not
// suspected any more. The rules for LoneDeaths, for suspects that take long and for letters are the
// same. An entry that waits since it can't get a letter is stored as a suspect again when it is
// handed out. A member that leaves, and one that lost its session and is alive, says so
// (Shares.Survive).
//
// # Being alone for a verdict
//
// An entry is given up only if it must have been the cause of its failures: if no other batch of
// the process failed that was in flight at the same time. If other batches fail whenever it does,
// it is handed out alone: new batches of the process are held back until none is in flight, for 5
// seconds at a time and a twentieth of the time at most. If a batch hangs, the entry is handed out
// beside it, the attempt does not count until that batch is acknowledged, and Failing.Hanging names
// it.
//
// # Goroutines
//
// Each actor is one goroutine, and its type documents what it owns:
//
//   - The enumerator beats and plans.
//   - The claimer makes the owned splits follow the assignment.
//   - The committer stores positions and renews leases.
//   - The auditor samples the lag and detects streams that were replaced.
//   - The counter counts entries where the lag is not known otherwise.
//   - The adopter reads what is pending in foreign groups whose splits are adopted.
//   - The loader loads entries again that waited long for their turn.
//   - The noter stores the attempts at entries that fail.
//   - The condemner writes the letters of entries that are given up.
//   - A fetcher for each fetch group reads.
//
// A ShareConsumer has a goroutine for its membership, one that acknowledges, and one for each fetch
// group that reads, audits and takes over, one request after the other. It has a noter and a
// condemner too.
//
// They share the splitSet or the shareSet: the set of splits under one lock, which is never held
// during a call of the store. Signals between goroutines hold one token and drop the rest. The
// state that they point at is the truth.
//
// If the splits are on several nodes (Config.Node), the claimer, the committer, the counter, the
// loader and the noter make one call to each node at a time, each in a goroutine that ends with its
// call. A node that hangs delays neither claims nor renewals on other nodes.
//
// # Closing
//
// Close stops handing out, lets every loop finish its current request, commits, releases, leaves
// the group, and then joins the reads, which can't be interrupted. It does not wait for
// acknowledgements. A member that leaves like this hands over its splits immediately. A member that
// dies keeps them for a ttl.
package splits
