package appender

import (
	"context"
	"strconv"
)

// Store is the store of an Appender. internal/broker implements it on Redis.
type Store interface {
	// Append sends a round of appends, each to another partition of one node, and returns the
	// results in the order of the round. A failed append does not delay the others. Append returns
	// soon after ctx has ended, and keeps no reference to the round.
	//
	// If a Store makes several attempts for one append (it follows a redirection, or repeats a
	// failed request), its result covers all of them: while the outcome of any attempt is unknown,
	// the result is Unknown, unless a later attempt found the append Written or Duplicate.
	Append(ctx context.Context, round []Request) []Result
	// Node returns the name of the server that holds the target. Appends to one node are sent
	// together, and nodes do not wait for each other. Node does no I/O.
	Node(t Target) string
}

// Target is the partition that a record goes to.
type Target struct {
	Topic     string
	Partition int
	// Key is the Redis key of the partition's stream.
	Key string
	// Plain is true if the topic had no metadata when the record was routed. The append fails as
	// Partitioned if this has changed.
	Plain bool
}

// Record is one entry: alternating field names and values, in order. The Appender does not change
// it.
type Record struct {
	Fields []string
	// ID is the message ID. A store with a window for IDs does not write a record whose ID the
	// partition got within the window. A record without an ID is always written.
	ID string
}

// Size returns the number of bytes of the record's names and values.
func (r Record) Size() int {
	size := 0
	for _, f := range r.Fields {
		size += len(f)
	}
	return size
}

// Request is one call of the store: the records of one partition under one sequence number. A retry
// sends an identical Request.
type Request struct {
	Target Target
	// Producer identifies the writer of the sequence. If it is empty, the append is not idempotent,
	// and Epoch and Seq have no meaning.
	Producer string
	// Epoch is raised when a sequence number can't be reused safely. The store rejects all appends
	// of a lower epoch.
	Epoch uint64
	// Seq counts the appends of this producer, epoch and partition from 1.
	Seq     uint64
	Records []Record
}

// Status is the outcome of one Append.
type Status int

// The outcomes of an Append. Only Unknown leaves open whether the records are written.
const (
	// Written: the records are in the stream.
	Written Status = iota
	// Duplicate: an earlier attempt of the same append wrote the records.
	Duplicate
	// Stale: the store knows a higher epoch of this producer. Not written.
	Stale
	// Gap: the store does not know the previous sequence number, so it lost acknowledged appends.
	// Not written.
	Gap
	// Partitioned: the target was routed as a plain topic, but the topic has metadata now. Not
	// written.
	Partitioned
	// Refused: the server returned an error that ends without an operator (LOADING, OOM, READONLY
	// and others). Not written.
	Refused
	// Unknown: the reply is missing (connection error, timeout). Written, not written, or written
	// later.
	Unknown
	// Partial: an error occurred midway. Result.Count records are written, the others are not.
	Partial
	// Failed: an error that a retry does not remove (WRONGTYPE, missing permission). Not written.
	Failed
)

// String returns the name of the status for logs.
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

// Result is the outcome of one Append.
type Result struct {
	Status Status
	// Count is the number of written records if Status is Partial.
	Count int
	// Known is the number of records that were not written because their message IDs are known, if
	// Status is Written.
	Known int
	// Epoch is the epoch of this producer that the store knows if Status is Stale, or 0 if it is
	// not known.
	Epoch uint64
	// Stored is the number of this producer that the store had before the append, if Status is
	// Written or Gap. It is zero if the store had none, or if it is not known.
	Stored Number
	// Err is the reason of every Status except Written and Duplicate.
	Err error
}
