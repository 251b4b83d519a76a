package splits

import (
	"iter"
	"slices"
	"sync"
	"time"
)

// judge counts the failures of the entries of a member, decides which of them are given up, and
// knows what is to be stored of them. The lock of the set guards it: the condemner and the noter
// call the methods that take the lock, and the set calls the others.
type judge[S judged] struct {
	verdicts
	mu  *sync.Mutex // of the set
	set judgedSet[S]
	now func() time.Time
	// batches knows what is in flight in the process.
	batches          *Failures
	ignoreHintsUntil time.Time // hints are ignored until then, since one was wrong

	alive     []noteTask[S]  // leases that ended while a suspect was in flight
	condemned []condemned[S] // entries of which the letters are to be written
	notable   map[S]bool     // splits with something for the noter

	verdictWanted signal // for the condemner: there may be something to condemn
	noteWanted    signal // for the noter: there is something to store
}

// judged is a split of a member, as its judge sees it.
type judged interface {
	served
	// failures returns what is to be stored of the entries that fail.
	failures() *failingState
	// fence returns the split, and the number under which something is stored of it: the epoch of
	// the lease, or the generation.
	fence() (Split, uint64)
	// over reports whether nothing more is to be stored of the split.
	over() bool
	// has reports whether this member may still resolve an entry that failed alone.
	has(l *loneFailure) bool
	// flightToStore returns what is to be stored of what is in flight, besides the lease; nil if
	// nothing is.
	flightToStore(now time.Time) *ShareSuspects
}

// judgedSet is the set of the splits of a member, as its judge sees it. The lock is held, except
// during bury and refused.
type judgedSet[S judged] interface {
	// each returns all splits.
	each() iter.Seq[S]
	// hasOthers reports whether the member knows other entries that are not processed and don't
	// wait for this one.
	hasOthers(s S, l *loneFailure) bool
	// handOutAgain makes Poll look for something to hand out of a split.
	handOutAgain(s S)
	// tryAnother makes Poll hand out another entry than the ones that fail.
	tryAnother(s S)
	// bury resolves an entry whose letter is written and noted.
	bury(c condemned[S])
	// refused handles that nothing more is stored of a split under a number.
	refused(s Split, under uint64, cause error)
}

// condemned is an entry of which the letter is to be written.
type condemned[S judged] struct {
	split  S
	lone   *loneFailure
	letter Letter
}

func newJudge[S judged](
	mu *sync.Mutex,
	set judgedSet[S],
	cfg DeadLetters,
	batches *Failures,
	now func() time.Time,
) judge[S] {
	return judge[S]{
		verdicts: verdicts{cfg: cfg}, mu: mu, set: set, now: now, batches: batches, notable: map[S]bool{},
		verdictWanted: newSignal(), noteWanted: newSignal(),
	}
}

// holds reports whether the failure of an entry still concerns this member: it has not been
// resolved, and no other member has it.
func (j *judge[S]) holds(s S, l *loneFailure) bool {
	return slices.Contains(s.handOuts().isolation.loneFailures, l) && s.has(l)
}

// confirm counts a failure whose cause must be the entry, and decides about the entry. If the entry
// has been handed out again meanwhile, that is done when it fails again.
func (j *judge[S]) confirm(s S, l *loneFailure, cause error) {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.holds(s, l) {
		return
	}
	if l.confirmed++; l.confirmed == 1 {
		l.since, l.successes = now, j.successes
	}
	l.matches, l.hanging = j.matches(cause), nil
	j.note(s, l)
	if l.out {
		l.unjudged = true
		return
	}
	j.decide(s, l, now)
}

// decide decides about an entry that failed alone.
func (j *judge[S]) decide(s S, l *loneFailure, now time.Time) {
	l.unjudged = false
	if wait := now.Add(j.wait(l.confirmed)); wait.After(l.due) {
		l.due = wait
	}
	switch j.of(l, func() bool { return j.set.hasOthers(s, l) }, now) {
	case giveUp:
		j.condemn(s, l, now)
	case probe:
		l.wantsProbe = true
		j.set.tryAnother(s)
	}
	j.verdictWanted.raise()
}

// condemn makes the condemner write the letter of an entry.
func (j *judge[S]) condemn(s S, l *loneFailure, now time.Time) {
	l.out = true
	split, _ := s.fence()
	j.condemned = append(j.condemned, condemned[S]{s, l, Letter{
		Split: split, Entry: l.ref.entry(), Key: l.key, Deliveries: l.confirmed + l.killed,
		Age: now.Sub(l.since), Cause: l.cause,
	}})
}

// judgeKillers gives up the entries that have killed LoneDeaths owners, if the rules permit it.
func (j *judge[S]) judgeKillers(now time.Time) {
	for s := range j.set.each() {
		for _, l := range s.handOuts().isolation.loneFailures {
			if l.killed > 0 && !l.out && j.ofKiller(l) {
				j.condemn(s, l, now)
			}
		}
	}
}

// processed notes that a batch was processed. lone is its entry, if that had failed alone before.
func (j *judge[S]) processed(lone *loneFailure) {
	if j.succeeded() || lone != nil {
		j.verdictWanted.raise()
	}
}

// takeCondemned returns the entries of which the letters are to be written.
func (j *judge[S]) takeCondemned() []condemned[S] {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.judgeKillers(now)
	all := j.condemned
	j.condemned = nil
	return all
}

// owns reports whether an entry still fails at this member.
func (j *judge[S]) owns(c condemned[S]) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.holds(c.split, c.lone)
}

// pardon hands out an entry again after a while. If its letter may have been written, the entry
// counts as given up all the same.
func (j *judge[S]) pardon(c condemned[S], mayBeWritten bool) {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !mayBeWritten {
		j.withdrawn(c.lone)
	}
	c.lone.out, c.lone.due = false, now.Add(j.cfg.MaxBackoff)
	if c.lone.killed > 0 {
		c.lone.due = now.Add(2 * idleLoader) // the condemner tries again before that
	}
	j.set.handOutAgain(c.split)
}

// whyNone returns why no entry is given up: verdicts.outputDown while entries fail, and none of them
// will be given up because others were processed.
func (j *judge[S]) whyNone() error {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	failing := false
	for s := range j.set.each() {
		i := &s.handOuts().isolation
		failing = failing || !i.empty()
		if !j.suspended && slices.ContainsFunc(i.loneFailures, j.mayBeGivenUp) {
			return nil
		}
	}
	if !failing {
		return nil
	}
	return j.outputDown(now)
}
