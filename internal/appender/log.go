package appender

import (
	"context"
	"strconv"
)

// Log is what an Appender asks of a store. internal/broker implements it on Redis.
type Log interface {
	// Append sends a round of appends, each to another partition of one node, and answers in the
	// order of the round. It never holds one append back for another's failure, returns soon after
	// ctx has ended, and keeps nothing of the round afterwards.
	//
	// A Log that tries more than once by itself (follows a redirection, repeats a broken request)
	// answers for all of its tries: while the outcome of any of them is open, the answer is
	// Unknown, unless a later one found the append Written or Duplicate.
	Append(ctx context.Context, round []Append) []Result
	// Node names the server that holds the target: appends to one node travel together, and nodes
	// do not wait for each other. It does no I/O.
	Node(t Target) string
}

// Target is the partition that a record goes to.
type Target struct {
	Topic     string
	Partition int
	// Key is the Redis key of the partition's stream.
	Key string
	// Plain says that the topic had no metadata when the record was routed: the append checks that
	// this still holds.
	Plain bool
}

// Record is one entry to be written: alternating field names and values, in order. The Appender
// does not change it.
type Record struct {
	Fields []string
}

// Size is the number of bytes that the record's names and values hold.
func (r Record) Size() int {
	size := 0
	for _, f := range r.Fields {
		size += len(f)
	}
	return size
}

// Append is one call of the store: the records of one partition under one sequence number. A retry
// carries the very same Append.
type Append struct {
	Target Target
	// Producer identifies the writer of the sequence. Empty: the append is not idempotent, Epoch
	// and Seq mean nothing.
	Producer string
	// Epoch is raised whenever a sequence number can't be reused safely; the store refuses
	// everything of a lower one.
	Epoch uint64
	// Seq counts the appends of this producer, epoch and partition from 1.
	Seq     uint64
	Records []Record
}

// Status is the outcome of one Append.
type Status int

// The outcomes of an Append. Only Unknown leaves open whether the records were written.
const (
	// Written: the records are in the stream.
	Written Status = iota
	// Duplicate: an earlier attempt of this very append had written them.
	Duplicate
	// Stale: the store knows a higher epoch of this producer. Not written.
	Stale
	// Gap: the store has not seen the sequence number before this one; it lost acknowledged
	// appends. Not written.
	Gap
	// Partitioned: the target was routed as plain and the topic has metadata now. Not written.
	Partitioned
	// Refused: the server answered with an error that passes by itself (LOADING, OOM, READONLY,
	// ...). Not written.
	Refused
	// Unknown: no answer came (connection error, timeout). Written, not written, or yet to be
	// written.
	Unknown
	// Partial: an error came midway; Result.Count records were written, the others not.
	Partial
	// Failed: an error that a retry doesn't mend (WRONGTYPE, no permission). Not written.
	Failed
)

// String names the status for logs.
func (s Status) String() string {
	names := [...]string{
		"written",
		"duplicate",
		"stale",
		"gap",
		"partitioned",
		"refused",
		"unknown",
		"partial",
		"failed",
	}
	if s < 0 || int(s) >= len(names) {
		return "status " + strconv.Itoa(int(s))
	}
	return names[s]
}

// Result is the answer to one Append.
type Result struct {
	Status Status
	// Count is the number of records written if Status is Partial.
	Count int
	// Epoch is the epoch that the store knows of this producer if Status is Stale; 0 if it can't
	// tell.
	Epoch uint64
	// Stored is what the store knew of this producer before the append, if Status is Written or
	// Gap; zero if nothing, or if it can't tell.
	Stored Number
	// Err explains every Status other than Written and Duplicate.
	Err error
}
