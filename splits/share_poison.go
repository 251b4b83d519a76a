package splits

import (
	"cmp"
	"slices"
	"time"
)

// sharePoison finds the entries of a split that kill the process, among those that are pending at a
// member of a share group: see the section Poison of the package. It has no lock and no clock; the
// lock of the shareSet guards it.
type sharePoison struct {
	suspects map[Offset]suspicion // of entries that are pending at this member
	waiting  []Entry              // the ones in shareBuffered, in the order in which they are handed out
	until    time.Time            // the others are suspected until then

	suspectFlight
	batch   *Batch // is to be handed out next, or is in flight
	crowded bool   // other batches of the split are in flight beside it

	stored  shareFlight // what the store has
	asked   bool        // it may have something else: the last request has not succeeded yet
	watched bool        // it may have something else than AnyInFlight
}

// suspicion is what is known of an entry that was taken over from members that died.
type suspicion struct {
	takeovers, deaths int
	tried             bool // it was handed out, or set aside
}

// suspected reports whether an entry is suspected at all.
func (s Suspected) suspected() bool { return s.Takeovers >= lockstepFrom || s.Deaths > 0 }

// alone reports whether the entry is handed out alone: all others of a batch have been ruled out, or
// it was suspected before it was in a batch.
func (s suspicion) alone() bool { return s.takeovers > lockstepFrom || s.deaths > 0 }

// shareFlight is what a member has in flight of a split, see ShareSuspects.
type shareFlight struct {
	flight  Flight
	offsets []Offset
}

func (f shareFlight) equal(other shareFlight) bool {
	return f.flight == other.flight && slices.Equal(f.offsets, other.offsets)
}

func newSharePoison() sharePoison { return sharePoison{stored: shareFlight{flight: AnyInFlight}} }

// idle reports whether there is nothing to do: no entry was taken over from a member that died.
func (p *sharePoison) idle() bool { return len(p.suspects) == 0 && p.batch == nil && !p.watched }

// suspect adds an entry that is pending at this member.
func (p *sharePoison) suspect(s Suspected, tried bool) {
	if p.suspects == nil {
		p.suspects = map[Offset]suspicion{}
	}
	p.suspects[s.Offset] = suspicion{s.Takeovers, s.Deaths, tried}
}

// wait adds a suspect to the ones that wait to be handed out: first those that are handed out alone,
// each in the order of their offsets.
func (p *sharePoison) wait(e Entry) {
	at, _ := slices.BinarySearchFunc(p.waiting, e, func(a, b Entry) int {
		return cmp.Or(
			count(!p.suspects[a.Offset].alone())-count(!p.suspects[b.Offset].alone()),
			a.Offset.Compare(b.Offset),
		)
	})
	p.waiting = slices.Insert(p.waiting, at, e)
}

// largest returns how many of at most n entries the next batch of waiting ones has.
func (p *sharePoison) largest(n int) int {
	if p.suspects[p.waiting[0].Offset].alone() {
		return min(n, 1)
	}
	return n
}

// suspecting reports whether an entry is suspected now that is not set aside.
func (p *sharePoison) suspecting(now time.Time) bool {
	for _, s := range p.suspects {
		if !s.tried {
			return true
		}
	}
	return len(p.suspects) > 0 && now.Before(p.until)
}

// hangs reports whether the batch has been in flight for so long that other batches of the split go
// on beside it.
func (p *sharePoison) hangs(now time.Time) bool { return !p.out.IsZero() && now.Sub(p.out) >= aloneFor }

// want returns what the store should have. idle reports whether nothing of the split is in flight.
func (p *sharePoison) want(idle bool, now time.Time) shareFlight {
	switch {
	case p.next == Offset{} && idle && p.suspecting(now):
		return shareFlight{flight: NotInFlight}
	case p.next == Offset{}, p.crowded, p.hangs(now):
		return shareFlight{flight: AnyInFlight}
	case p.lone && !p.shared && p.suspects[p.next].alone():
		return shareFlight{InFlightAlone, []Offset{p.next}}
	}
	all := make([]Offset, len(p.batch.Entries))
	for i, e := range p.batch.Entries {
		all[i] = e.Offset
	}
	return shareFlight{InFlight, all}
}

// handedOut notes that the prepared batch is handed out. The suspicion of an entry lasts for another
// ttl after it was handed out first, or after it was set aside.
func (p *sharePoison) handedOut(now time.Time, ttl time.Duration) {
	p.out = now
	if lone := p.batch.piece.lone; lone != nil && lone.killed > 0 {
		p.until = now.Add(ttl)
	}
	for _, e := range p.batch.Entries {
		if s, suspected := p.suspects[e.Offset]; suspected && !s.tried {
			s.tried = true
			p.suspects[e.Offset], p.until = s, now.Add(ttl)
		}
	}
}

// end ends the flight.
func (p *sharePoison) end() { p.batch, p.crowded, p.suspectFlight = nil, false, suspectFlight{} }
