// Package splits makes many readers of one topic share it: consumer groups with the semantics of Kafka's, over any store that offers the three
// interfaces Group, Leases and Log. It knows neither Redis nor Benthos and starts no clock of its own, so that a hundred
// members and their failures can be simulated in a second.
//
// # Terms
//
// A topic has splits, one per partition. A group has members; each is a Consumer with an ID that nobody else ever has, unless it is static
// (see below). The plan says which member should read which split. A lease says which member does, under an epoch, and carries the committed
// position of the split. What a Consumer knows of a split under one lease is a hold.
//
// # Who is authoritative
//
// The leases are. A plan is a wish: it may be stale, two members may follow different ones, one may follow none. All that can come of it is
// that a claim is refused until the other lets go. Nothing that a member does is stored unless owner and epoch of the lease are
// still its own, which the store checks in the same step in which it stores. So safety depends on the lease of one split alone, and
// balance on the group alone, and neither waits for the other.
//
// # The life of a hold
//
//	          plan names us            granted
//	(nothing) ────────────> claiming ──────────> reading ──┐
//	    ^                      ^ refused: again when the   │ plan names another
//	    │                      │ other's lease ends, or    v
//	    │                      └ at a hint             draining ──> reading, if the plan changes its mind
//	    │                                                  │ nothing in flight, or out of patience
//	    │      lost: fenced, or not renewed in time        v
//	    └───────────────────── over <──────────────── committed, released
//
// While reading, entries are fetched, handed out and resolved. While draining, nothing more is fetched or handed out. Once over,
// an acknowledgement changes nothing: the check is made under the same lock as the mark, so no offset is marked after the
// last one was taken down. A split that is claimed again gets a new hold; nothing of the old one can touch it.
//
// # The window of trust
//
// A lease lives for a ttl from the moment at which the store applied its last renewal. The member does not know that moment, but
// it lies after the renewal was *sent*. So it trusts the lease until then plus the ttl, less a margin of a tenth for clocks that
// run differently. This is checked at every hand-out, synchronously, by the monotonic clock and the wall clock: in a process that
// was paused, or on a machine that was suspended, timers fire late. What was handed out before may still be in a pipeline when another
// member takes over; its commit is refused, its side effects are not.
//
// # Static members
//
// A member usually is one Consumer and dies with it. A static one keeps its name (Config.Owner): each Consumer that runs as it is an
// incarnation, numbered before it first beats, and the later always wins. The group knows the member, so a new incarnation changes neither
// members nor plan; leases belong to the incarnation, so that two that run at once are kept apart by epoch and owner as any two members are.
// The one difference: a lease of an earlier incarnation is in nobody's way, and is taken over while it lives.
//
//	          beats, and no later one is alive            a later one has beaten
//	(started) ────────────────────────────────> member ─────────────────────────> standing by
//	                                              ^                                    │
//	                                              └────────────────────────────────────┘
//	                                          beats, and the later one's session has ended
//
// Who stands by has given everything up, at once. Closing leaves the membership to run out, since the next incarnation may come before that.
//
// # Order
//
// A split has one batch in flight at a time, and the next is handed out when that one is resolved. Entries that were rejected are handed
// out again before anything newer, together with those behind them in the batch that carry the same key. The
// committed position is the highest one below which everything is resolved: a Tracker knows it. Config.Unordered lifts the first two, not
// the third.
//
// # Goroutines
//
// Each actor is one goroutine, and what it owns is written at its type: the Enumerator beats and plans, the claimer makes the holds follow the
// plan, the committer stores positions and renews, the auditor looks for lag and loss, the counter has the store count
// entries where the lag is not known otherwise, and a fetcher for each shard reads.
// They share the Reader, a passive set of holds under one lock that is never held over a call of the store. Signals between
// them hold one token and drop the rest; the state that they point at is the truth.
//
// Where the splits lie on several nodes, the claimer and the committer have a lane for each (Config.Node): a goroutine that makes one call,
// brings back the answer and ends. A node that hangs keeps its own lane busy and delays neither claims nor renewals elsewhere.
//
// # Closing
//
// Close stops handing out, lets every loop finish the request that it is in, commits, releases, leaves the group, and only then joins the reads,
// which can't be interrupted. It waits for no acknowledgement. A member that leaves so hands its splits over at once;
// one that dies keeps them for a ttl.
package splits
