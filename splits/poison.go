package splits

import "time"

const (
	// LoneDeaths is how many owners of a split must have died while an entry was in flight alone,
	// before the entry is taken for the cause.
	LoneDeaths = 3
	// lockstepFrom is the number of takeovers without progress from which on a split is suspected.
	lockstepFrom = 2
	// aloneFor is how long a suspect in flight keeps everything else in the process back.
	aloneFor = time.Minute
	// maxKillerWait is the longest wait before an entry that has killed LoneDeaths owners is handed
	// out again.
	maxKillerWait = time.Hour
)

// killerWait returns how long an entry with this number of deaths is not handed out, if it can't be
// given up.
func killerWait(deaths int) time.Duration {
	return min(aloneFor<<min(deaths-LoneDeaths, 10), maxKillerWait)
}

// poison finds the entry of a split that kills the process: see the section Poison of the package.
// The zero poison suspects nothing. It has no lock and no clock; the lock of the splitSet guards
// it.
type poison struct {
	stage  poisonStage
	upTo   Offset         // in oneByOne: entries up to here are suspects
	deaths map[Offset]int // of entries that were not handed out yet under this lease
	until  time.Time      // when the suspicion ends; zero before the first hand-out

	stored  Suspect // what the store has, without its turn
	turn    int     // the last one that was sent
	exposed bool    // the store may say that something is in flight

	suspectFlight
}

type poisonStage int

const (
	unsuspected poisonStage = iota
	lockstep                // one batch at a time, stored before
	oneByOne                // the same with one entry at a time
)

// newPoison returns the poison of a split that was just claimed.
func newPoison(c claimedSplit) poison {
	p := poison{stored: c.suspect, upTo: c.suspect.UpTo}
	for _, offset := range c.deaths {
		if p.deaths == nil {
			p.deaths = map[Offset]int{}
		}
		p.deaths[offset]++
		if p.upTo.Before(offset) {
			p.upTo = offset
		}
	}
	switch {
	case p.upTo != Offset{}:
		p.stage = oneByOne
	case c.attempts >= lockstepFrom:
		p.stage = lockstep
	}
	return p
}

// suspects reports whether anything is suspected.
func (p *poison) suspects() bool { return p.stage != unsuspected }

// limit returns how many of at most n entries a batch may have.
func (p *poison) limit(n int) int {
	if p.stage == oneByOne {
		return min(1, n)
	}
	return n
}

// takeDeaths returns how many owners an entry has killed, and forgets that.
func (p *poison) takeDeaths(of Offset) int {
	n := p.deaths[of]
	delete(p.deaths, of)
	return n
}

// want returns the suspect that the store should have, without a turn.
func (p *poison) want() Suspect {
	switch {
	case p.next != Offset{} && p.stage == oneByOne && p.lone && !p.shared:
		return Suspect{UpTo: p.next, Flight: InFlightAlone}
	case p.next != Offset{}:
		return Suspect{UpTo: p.next, Flight: InFlight}
	case p.stage == oneByOne:
		return Suspect{UpTo: p.upTo}
	}
	return Suspect{}
}

// send returns the suspect for a commit.
func (p *poison) send() Suspect {
	if p.stage == unsuspected {
		return Suspect{}
	}
	p.turn++
	s := p.want()
	s.Turn = p.turn
	p.exposed = p.exposed || s.Flight != NotInFlight
	return s
}

// sent notes that the store has a suspect.
func (p *poison) sent(s Suspect) {
	s.Turn = 0
	p.stored, p.exposed = s, s.Flight != NotInFlight
}

// ready reports whether the store has the suspect that it should have.
func (p *poison) ready() bool { return p.stored == p.want() }

// due reports whether the store is to be told of a suspect.
func (p *poison) due() bool { return p.suspects() && !p.ready() }

// handedOut notes that the prepared batch is handed out. As long as batches are handed out the
// first time, or up to the end of the suspects, the suspicion lasts for another ttl.
func (p *poison) handedOut(first bool, now time.Time, ttl time.Duration) {
	p.out = now
	if p.until.IsZero() || p.stage == oneByOne && first && !p.upTo.Before(p.next) {
		p.until = now.Add(ttl)
	}
}

// advance notes the position and the time. It reports whether the stage has changed.
func (p *poison) advance(done Offset, now time.Time, ttl time.Duration) (changed bool) {
	if p.stage == unsuspected || p.next != (Offset{}) {
		return false
	}
	if p.stage == oneByOne && !done.Before(p.upTo) {
		p.stage, p.deaths, p.until = lockstep, nil, now.Add(ttl)
		return true
	}
	if !p.over(now) || !p.free() {
		return false
	}
	p.stage = unsuspected
	return true
}

// over reports whether the suspicion ends when nothing is in flight, and the store knows that.
func (p *poison) over(now time.Time) bool {
	return p.stage != unsuspected && len(p.deaths) == 0 && !p.until.IsZero() && !now.Before(p.until)
}

// free reports whether other batches of the process may be in flight, and the store knows that they
// may.
func (p *poison) free() bool {
	return p.ready() && (p.next == Offset{} || p.shared)
}
