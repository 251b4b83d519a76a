// Package broker turns Redis keys, scripts and streams into topics, partitions, leases and groups.
// It contains the requests of running inputs and outputs. Packages access and admin contain the
// other requests.
//
// # Which key decides what
//
// A split, which is one partition's stream, has a lease for each group: a hash next to the stream,
// in the slot of the stream. It stores which member may commit, under which epoch and until when,
// and the committed position of the group. Every commit, renewal, reset and release is one script
// that compares owner and epoch before it writes. A member that lost a lease is therefore fenced,
// however late its request arrives. [Leases] implements splits.Leases.
//
// A group of a topic has a sorted set of members with their deadlines, and a hash with the plan,
// which assigns splits to members. Both are in the slot of the topic. The plan can be stale, lost
// or wrong: members then compete for leases or leave splits unread for a moment, but two members
// never both commit. [Group] implements splits.Group.
//
// A topic has a set of the names of its groups, in its own slot, to which each group is added by its
// first heartbeat. A share group that deletes what it has acknowledged reads it: [Registry].
//
// A topic is partitioned if it has metadata, a hash with the number of partitions. A topic without
// metadata is a plain stream. [Topics] reads and creates metadata, and package admin changes and
// deletes them. A reader or writer that has seen a topic partitioned never takes it for a plain
// topic again.
//
// The mirror is a real Redis consumer group with the group's name. It follows the committed
// position, so that other tools show the position. Scripts write it by pcall after the lease, and
// read it only if the lease is lost; see lua/mirror.lua.
//
// # Time
//
// Deadlines are in milliseconds by the TIME of the server that holds the key. Clocks of clients are
// not used. A server's clock can step: if a lease or a membership has more time left than its ttl,
// it gets its ttl from now. Epochs and versions are times in microseconds; while the clock is
// behind, they advance by a random step. They therefore grow even if the server lost them.
//
// # Scripts
//
// Each operation is one file in lua/. Parts that several scripts share are put in front: the
// prelude of package script, and instance.lua, mirror.lua, position.lua and moved.lua. Package keys
// makes the names of all keys. A script replies with a word and strings, which the method that runs
// the script decodes. Scripts read before they write. If the server lacks memory or denies the
// permission, the first write fails and the script changes nothing. Writes that may fail (the
// mirror, the hints by PUBLISH) come last and by pcall. Requests for many splits are one pipeline
// per node.
//
// # Errors
//
// Errors of the client and the server are wrapped with the remedy (rediserr.Explain) and can be
// classified (rediserr.Classify). Errors from within a script name the key.
//
// The caller owns the clients. The types in this package start no goroutine that outlives a call,
// and do not need to be closed.
package broker
