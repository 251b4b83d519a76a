package appender

import "time"

// transition is what follows from the answer to an attempt: a cell of the table below.
type transition struct {
	next step
	// after is what is known about the attempts of the batch, including this one.
	after certainty
	// epoch is newEpoch if no other append may get the number of the batch.
	epoch epochStep
	// err is the kind of error of the records that are not written.
	err errorKind
}

// step is what to do with a batch next.
type step int

const (
	finish  step = iota // its records have their outcome
	resend              // send it again immediately
	backOff             // send it again after a delay
)

// certainty is what is known about the attempts of a batch.
type certainty int

const (
	// certain: no attempt has written the records, and none can write them any more.
	certain certainty = iota
	// uncertain: an attempt without an answer may have written the records, or may still do so.
	uncertain
)

// epochStep is whether the next append stays in the epoch.
type epochStep bool

const (
	sameEpoch epochStep = false
	newEpoch  epochStep = true
)

// errorKind is how the error of a batch is made.
type errorKind int

const (
	noError          errorKind = iota
	causeError                 // the error of the answer
	gaveUpError                // a GaveUpError that wraps the error of the answer
	partitionedError           // ErrPartitioned
)

// transitions is the table: the answer, and what was known about the earlier attempts, determine
// what follows. doc.go gives the reasons. Two rules are not in the table (see decide). A backOff
// without a retry left becomes a finish with a GaveUpError. A resend that follows a resend becomes
// a backOff.
var transitions = [...][2]transition{
	Written: {
		certain:   {finish, certain, sameEpoch, noError},
		uncertain: {finish, certain, sameEpoch, noError},
	},
	Duplicate: {
		certain:   {finish, certain, sameEpoch, noError},
		uncertain: {finish, certain, sameEpoch, noError},
	},
	Stale: {
		certain: {resend, certain, newEpoch, causeError},
		// An earlier attempt may have been written before the higher epoch began. Under a new
		// number the records would be written twice.
		uncertain: {finish, uncertain, newEpoch, gaveUpError},
	},
	Gap: {
		certain: {resend, certain, newEpoch, causeError},
		// The store lost the append before this one, and so all attempts of this one.
		uncertain: {resend, certain, newEpoch, causeError},
	},
	Partitioned: {
		certain:   {finish, certain, sameEpoch, partitionedError},
		uncertain: {finish, uncertain, newEpoch, partitionedError},
	},
	Refused: {
		certain:   {backOff, certain, sameEpoch, causeError},
		uncertain: {backOff, uncertain, sameEpoch, causeError},
	},
	Unknown: {
		certain:   {backOff, uncertain, sameEpoch, causeError},
		uncertain: {backOff, uncertain, sameEpoch, causeError},
	},
	Partial: {
		certain:   {finish, certain, newEpoch, causeError},
		uncertain: {finish, uncertain, newEpoch, gaveUpError},
	},
	Failed: {
		certain:   {finish, certain, sameEpoch, causeError},
		uncertain: {finish, uncertain, newEpoch, gaveUpError},
	},
}

// transitionFor returns the row of an answer. An unknown status is handled as Failed.
func transitionFor(s Status, before certainty) transition {
	if s < 0 || int(s) >= len(transitions) {
		s = Failed
	}
	return transitions[s][before]
}

// decision is a transition with all values that are needed to apply it to a queue.
type decision struct {
	next   step
	status Status
	// delay is the time until a backOff ends.
	delay time.Duration
	// newEpoch begins an epoch that is higher than all earlier ones and than above.
	newEpoch bool
	above    uint64
	// written is how many records of the batch, from the first, are in the stream if next is
	// finish.
	written int
	// err is the error of the other records, or of the attempt; nil if all are written.
	err error
	// retryable is true if the attempt failed in a way that a retry can overcome.
	retryable bool
	// endsRetries is true if next is finish and the batch was sent more than once.
	endsRetries bool
}

// confirmed reports whether the store holds the number of the batch now.
func (d decision) confirmed() bool { return d.next == finish && d.err == nil }
