package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Failing records and their letters in share groups.

func (sc *shareSchedule) sinkOutage(r *rand.Rand) string {
	hosts := make([]*host, len(sc.processes))
	for i, p := range sc.processes {
		hosts[i] = p.host
	}
	return sinkOutage(sc.plan, sc.oracle.history, hosts, r)
}

func (sc *shareSchedule) letterFault(r *rand.Rand) string {
	return sc.letters.outage(sc.plan, sc.oracle.history, r)
}

// badOnes returns the indexes of the unfit records in the batch, and why they fail.
func (o *shareOracle) badOnes(b *splits.Batch) (bad []int, cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, e := range b.Entries {
		if o.records[e.Fields[1]].unfit {
			bad, cause = append(bad, i), errUnfit
		}
	}
	return bad, cause
}

// noteAcknowledged records that a process has learned that a batch was processed.
func (o *shareOracle) noteAcknowledged(p *shareProcess) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.book.acknowledged(p.id)
}

// checkLetter implements letterOracle. A process may not know yet that the group was moved.
func (o *shareOracle) checkLetter(owner string, l splits.Letter) (row int, certain bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.records[l.Entry.Fields[1]]
	o.note(owner, l.Split.Key, "gives up %s after %d deliveries: %v", r.id, l.Deliveries, l.Cause)
	row, certain = o.book.row(owner, r.id)
	if r.split != l.Split || r.offset != l.Entry.Offset {
		o.violated(l.Split.Key, "the letter of %s is from %v", r.id, l.Entry.Offset)
	}
	if o.justSought(l.Split) {
		return row, certain
	}
	var why string
	if kills, _ := errors.AsType[*splits.PoisonError](l.Cause); kills != nil {
		o.counts.count("(share: given up as one that kills)")
		why = o.poisonObjection(o.processes[owner], r)
	} else {
		why = o.book.objection(owner, l, r.unfit, o.damaged)
	}
	if why != "" {
		o.violated(l.Split.Key, "%s", why)
	}
	return row, certain
}

// noteLetter implements letterOracle.
func (o *shareOracle) noteLetter(owner string, l splits.Letter, row int, fresh bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.records[l.Entry.Fields[1]]
	o.note(owner, l.Split.Key, "the letter of %s is stored (new: %v)", r.id, fresh)
	o.counts.count("(letter)")
	r.lettered, r.processed, r.ever = true, true, true
	if row < 0 {
		return
	}
	if n := o.book.giveUp(owner, r.id, row); n > mostInARow {
		o.violated(l.Split.Key, "%s has given up %d entries in a row", owner, n)
	}
}

// Note checks that it is noted only of stored letters that they are.
func (s *auditedShares) Note(ctx context.Context, notes []splits.ShareNote) []error {
	o := s.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	errs := s.Shares.Note(ctx, notes)
	for i, err := range errs {
		if err != nil {
			continue
		}
		for _, a := range notes[i].Failing {
			if r := o.at[notes[i].Split.Key][a.Offset]; a.Lettered && r != nil {
				o.noteNoted(notes[i].Member, r)
			}
		}
	}
	return errs
}

// noteNoted records that it is noted that a record has a letter. The caller holds the lock.
func (o *shareOracle) noteNoted(member string, r *shareRecord) {
	o.note(member, r.split.Key, "noted the letter of %s", r.id)
	if !r.lettered && !o.damaged && !o.justSought(r.split) {
		o.violated(r.split.Key, "it is noted that %s has a letter, which was never stored", r.id)
	}
	r.letterNoted = true
}

// checkNoted checks, when a record was acknowledged, that it was noted before if it was given up.
// The caller holds the lock.
func (o *shareOracle) checkNoted(r *shareRecord) {
	if r.lettered && !r.done && !r.letterNoted && !o.damaged && !o.justSought(r.split) {
		o.violated(r.split.Key, "%s was acknowledged, but it was never noted that it has a letter", r.id)
	}
}

// extraPrefix begins the IDs of records that are written after the last fault.
const extraPrefix = "extra/"

// progress returns 1 for a record that has to be processed, and 0 for one that was written after
// the last fault.
func progress(id string) int {
	if strings.HasPrefix(id, extraPrefix) {
		return 0
	}
	return 1
}

// writeExtra writes a record to a split after the last fault, if it has waited for long: if only
// unfit records are left, there is no evidence that the sinks work.
func (sc *shareSchedule) writeExtra(split string, waited time.Duration) {
	if !sc.plan.deadLetters || waited < sc.plan.ttl {
		return
	}
	for _, s := range sc.store.Splits(topicName) {
		if s.Key == split {
			sc.extra++
			sc.oracle.append(shareRecord{id: fmt.Sprint(extraPrefix, sc.extra), split: s})
		}
	}
}
