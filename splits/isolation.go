package splits

import (
	"slices"
	"time"
)

// isolation finds the entries that make the batches of a split fail, so that all other entries are
// processed.
//
// A rejected batch means that some of its entries failed. Which ones is a hint at most: the
// pipeline between this package and the rejection can filter, split, group and merge messages. So
// no entry of a rejected batch counts as processed. The batch is cut into pieces, which are handed
// out again one after the other, in the order of their offsets:
//
//	x | s1 | y | s2 | z        at the suspects s1 and s2, if a hint names some entries but not all
//	first half | second half   without a hint, or if a piece without a suspect failed: then the
//	                           hint was wrong
//
// A piece that is accepted is done. A piece that fails is cut again, until it has one entry. An
// entry that failed alone is handed out again, alone, after a back-off. Until it is accepted,
// entries behind it with the same key are held back, and entries with other keys pass.
//
// Back-offs apply to entries that failed alone, and to rounds in which nothing was accepted. A
// round ends when an entry fails alone. So one bad entry costs a few immediate attempts, and an
// outage of the output costs few attempts, however many entries wait.
//
// isolation has no goroutines and no lock; the lock of the splitSet guards it.
type isolation struct {
	key     func(Entry) string // returns the order key of an entry; nil if entries have no order
	lanes   *lanes             // nil unless ByKey
	largest int                // most entries of a piece

	pieces       []piece                 // to be handed out, those of one batch in the order of their offsets
	loneFailures []*loneFailure          // entries that failed alone and have not been accepted since
	failedKeys   map[string]*loneFailure // those of them that have a key
	followers    int                     // entries that are held back
	failingSince time.Time               // when the first batch with an entry in here failed; zero if there is none

	piecesOut  int       // number of pieces that are handed out
	rounds     int       // consecutive rounds without an accepted piece
	accepted   bool      // a piece was accepted in this round
	roundEnded time.Time // when the last round ended
	notBefore  time.Time // nothing is handed out again before then
}

func newIsolation(cfg Config) isolation {
	i := isolation{largest: cfg.BatchSize, failedKeys: map[string]*loneFailure{}}
	if cfg.Ordering != Unordered {
		i.key = cfg.OrderKey
	}
	if cfg.Ordering == ByKey {
		i.lanes = newLanes(cfg)
	}
	return i
}

// empty reports whether there is nothing to hand out again.
func (i *isolation) empty() bool { return len(i.pieces) == 0 && len(i.loneFailures) == 0 }

// next returns the piece to hand out again now, if there is one.
func (i *isolation) next(now time.Time) (piece, bool) {
	if now.Before(i.notBefore) {
		return piece{}, false
	}
	for n := i.lanes.firstFree(i.pieces); n >= 0; n = i.lanes.firstFree(i.pieces) {
		p := i.pieces[n]
		if slices.ContainsFunc(p.refs, entryRef.isUnloaded) {
			i.pieces[n].loading = true
			i.lanes.load(p.refs)
			continue
		}
		i.pieces = slices.Delete(i.pieces, n, n+1)
		p.refs = slices.DeleteFunc(
			p.refs,
			func(r entryRef) bool { return r.isResolved() || i.holdBack(r, p.deliveries) },
		)
		if len(p.refs) == 0 {
			i.lanes.release(p.lanes)
			continue
		}
		i.lanes.setInFlight(p.lanes, true)
		i.piecesOut++
		p.isolated = true
		return p, true
	}
	l := i.earliest()
	if l == nil || l.due.After(now) {
		return piece{}, false
	}
	l.out = true
	i.piecesOut++
	return piece{refs: []entryRef{l.ref}, deliveries: l.deliveries, isolated: true, lone: l}, true
}

// wait returns the time until next returns a piece, if nothing happens before. It is negative if
// there is none.
func (i *isolation) wait(now time.Time) time.Duration {
	due := i.notBefore
	if i.lanes.firstFree(i.pieces) < 0 {
		l := i.earliest()
		if l == nil {
			return -1
		}
		if l.due.After(due) {
			due = l.due
		}
	}
	return max(0, due.Sub(now))
}

// nextLone returns the entry that failed alone and comes next, if it is due; nil if something else
// does.
func (i *isolation) nextLone(now time.Time) *loneFailure {
	if len(i.loneFailures) == 0 || now.Before(i.notBefore) || i.lanes.firstFree(i.pieces) >= 0 {
		return nil
	}
	if l := i.earliest(); l != nil && !l.due.After(now) {
		return l
	}
	return nil
}

// earliest returns the entry that failed alone and is due first, among the entries that are not
// handed out.
func (i *isolation) earliest() (first *loneFailure) {
	for _, l := range i.loneFailures {
		if !l.out && (first == nil || l.due.Before(first.due)) {
			first = l
		}
	}
	return first
}

// holdBack reports whether an entry must wait for an entry of its key that failed alone. Such an
// entry is handed out when the other entry has been accepted.
func (i *isolation) holdBack(r entryRef, deliveries int) bool {
	if len(i.failedKeys) == 0 {
		return false
	}
	l := i.failedKeys[i.key(r.entry())]
	if l == nil {
		return false
	}
	l.follow(r, deliveries, i.largest)
	i.followers++
	return true
}

// fail takes back a rejected piece. suspects are the indexes of the entries that a hint names; nil
// if there is no hint or hints are ignored. alone is the entry if the piece had only one. misled
// reports whether the failure proves that the piece was cut by a wrong hint.
func (i *isolation) fail(p piece, suspects []int, cause error, now time.Time) (alone *loneFailure, misled bool) {
	if i.failingSince.IsZero() {
		i.failingSince = now
	}
	i.returned(p)
	defer i.lanes.release(p.lanes) // when the parts hold them
	p.deliveries++
	if len(p.refs) == 1 {
		return i.failAlone(p, cause, now), false
	}
	misled = p.hinted && !p.suspect
	if misled || !usableHint(suspects, len(p.refs)) {
		half := (len(p.refs) + 1) / 2
		i.putBack(p.part(0, half), p.part(half, len(p.refs)))
		return nil, misled
	}
	i.putBack(p.cutAt(suspects)...)
	return nil, false
}

// putBack puts the parts of a piece in front of everything that was cut off behind them. If entries
// have no order, several pieces are handed out at a time, and their parts can come in any order.
func (i *isolation) putBack(parts ...piece) {
	for n := range parts {
		parts[n].lanes = i.lanes.holdFor(parts[n].refs)
	}
	i.pieces = slices.Concat(parts, i.pieces)
}

func (i *isolation) failAlone(p piece, cause error, now time.Time) *loneFailure {
	l := p.lone
	if l == nil {
		l = i.addLone(p.refs[0])
		l.probe = p.probeOf != nil
	}
	l.attempts++
	l.deliveries, l.out, l.cause, l.killed = p.deliveries, false, cause, 0
	l.due = now.Add(retryWait(l.attempts, l.ref.entry().Offset))
	if p.handedOutAt.After(i.roundEnded) {
		i.endRound(l.ref.entry().Offset, now)
	}
	return l
}

// addLone adds an entry that failed alone.
func (i *isolation) addLone(r entryRef) *loneFailure {
	l := &loneFailure{ref: r}
	i.loneFailures = append(i.loneFailures, l)
	if i.key != nil {
		l.key = i.key(l.ref.entry())
	}
	if l.key != "" {
		i.failedKeys[l.key] = l
	}
	return l
}

// endRound ends a round. Pieces that were handed out before its end belong to it.
func (i *isolation) endRound(at Offset, now time.Time) {
	i.rounds++
	if i.accepted {
		i.rounds = 0
	} else {
		i.notBefore = now.Add(retryWait(i.rounds, at))
	}
	i.accepted, i.roundEnded = false, now
}

// returned notes that a piece is not in flight any more.
func (i *isolation) returned(p piece) {
	i.lanes.setInFlight(p.lanes, false)
	if p.isolated {
		i.piecesOut--
	}
}

// putBackWhole takes back a piece that was not handed out after all.
func (i *isolation) putBackWhole(p piece) {
	i.returned(p)
	if p.lone != nil {
		p.lone.out = false
	} else {
		i.putBack(p)
	}
}

// skip notes that a piece that failed is not handed out again.
func (i *isolation) skip(p piece) {
	i.returned(p)
	i.lanes.release(p.lanes)
}

// accept notes that a batch, or a piece of one, was accepted. After rounds in which nothing was
// accepted, all entries that failed in them are due immediately: the output works again.
func (i *isolation) accept(p piece, now time.Time) {
	if i.rounds > 1 {
		for _, l := range i.loneFailures {
			if l.killed == 0 {
				l.due = now
			}
		}
	}
	i.skip(p)
	i.accepted, i.rounds, i.notBefore = true, 0, time.Time{}
	if p.lone != nil {
		i.remove(p.lone)
	}
	if p.probeOf != nil {
		p.probeOf.due = now
	}
	if i.empty() && i.piecesOut == 0 {
		i.failingSince = time.Time{}
	}
}

// remove removes an entry that failed alone and is resolved now. The entries that waited for it are
// handed out.
func (i *isolation) remove(l *loneFailure) {
	i.loneFailures = slices.DeleteFunc(i.loneFailures, func(other *loneFailure) bool { return other == l })
	delete(i.failedKeys, l.key)
	for _, p := range l.followers {
		i.followers -= len(p.refs)
	}
	i.putBack(l.followers...)
}

// first returns the entry with the lowest offset that failed alone; nil if there is none.
func (i *isolation) first() (first *loneFailure) {
	for _, l := range i.loneFailures {
		if first == nil || l.ref.entry().Offset.Before(first.ref.entry().Offset) {
			first = l
		}
	}
	return first
}
