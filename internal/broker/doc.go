// Package broker is the broker that Redis isn't: it turns keys, scripts and streams into topics,
// partitions, leases and groups. It is the only package that runs Redis commands.
//
// # Who is authoritative for what
//
// A split, which is one partition's stream, has a lease for each group: a hash beside the stream,
// in its slot. It says who may commit, under which epoch and until when, and how far the group has
// come. It is the truth: every commit, renewal, reset and release is one script that compares owner
// and epoch before it writes, so whoever lost a lease is fenced, however late its request arrives.
// Leases implements splits.Leases on it.
//
// A group of a topic has a sorted set of members with their deadlines, and a hash with the plan
// which member should read what, both in the topic's slot. The plan is a wish. It may be stale,
// lost or wrong: members then fight for leases or leave splits unread for a moment, but no two of
// them ever both commit. Group implements splits.Group on it.
//
// A topic is partitioned if it has metadata, a hash with the number of partitions; without it is a
// plain stream. Topics reads and creates it. Nothing here deletes it, and whoever has seen a topic
// partitioned never takes it for plain again.
//
// The mirror, a real Redis consumer group of the group's name, follows the committed position for
// the eyes of other tools. It is written by pcall after the truth and read only when the truth is
// gone; see mirror.lua.
//
// # Time
//
// Deadlines are in milliseconds of the TIME of the server that holds the key: no client's clock
// counts. A server's clock may step. A lease or a membership that has more left than its ttl gets
// its ttl from now. Epochs and versions are the larger of the next number and the time in
// milliseconds, so that they grow even if the store forgot them.
//
// # Scripts
//
// Each verb is one Lua file: what several share is in prelude.lua, instance.lua and mirror.lua,
// which are put in front. The keys of one script lie in one slot and come in by KEYS; keys.go is
// the only place where their names are made. Scripts answer with a word and strings, which are
// decoded beside the method that runs them. They read before they write, and the first write proves
// memory and permission; what is best effort (the mirror, the hints by PUBLISH) comes last and by
// pcall. Requests for many splits travel as one pipeline.
//
// # Errors
//
// Errors of the client and the server are wrapped, with the remedy in words (Explain), and can be
// classified (Classify). What a server answers from within a script names the key that it met.
//
// Clients belong to the caller: the types here borrow them, start no goroutine that outlives a call
// and need no Close.
package broker
