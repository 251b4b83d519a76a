package splits

import "context"

// SharePoison is a part of Shares. It finds entries that kill the process of their member: see the
// section Poison of the package.
type SharePoison interface {
	// Suspect stores what a member has in flight of a split. It replaces what is stored of this
	// member and split, unless that has a higher turn: then nothing is changed. The store may forget
	// it while nothing is pending at the member. The error is ErrStale if the generation has ended, or
	// if one of ShareSuspects.Offsets is not pending at the member; then nothing was changed.
	Suspect(ctx context.Context, suspects []ShareSuspects) []error
	// Survive takes back the deaths that Take has counted of a member: it is alive, or it is about to
	// leave. It also stores that nothing is in flight, as Suspect does, in any generation: further
	// takes from the member count nothing.
	Survive(ctx context.Context, survivors []ShareSurvivor) []error
}

// ShareSuspects says what a member has in flight of a split while it suspects that an entry of that
// split kills the process. When the member has died, Take counts what that says of the entries
// that it takes:
//
//	AnyInFlight, or nothing stored   one more takeover of each entry
//	NotInFlight                      nothing
//	InFlight                         one more takeover of each entry of Offsets
//	InFlightAlone                    the same, and one more death
//
// What is stored and counted belongs to the generation. What is counted of an entry ends with its
// acknowledgement.
type ShareSuspects struct {
	Split      Split
	Generation uint64
	Member     string
	// Turn grows with each change that the member sends of a split.
	Turn   int
	Flight Flight
	// Offsets are the entries that are in flight under InFlight and InFlightAlone: one under
	// InFlightAlone. Otherwise it is empty.
	Offsets []Offset
}

// ShareSurvivor is a member that did not die, and a split of which it had entries.
type ShareSurvivor struct {
	Split  Split
	Member string
	// Turn is the same as in ShareSuspects.
	Turn int
}

// Suspected is an entry that was taken over from members that died.
type Suspected struct {
	Offset Offset
	// Takeovers is how often that happened while the entry may have been in flight.
	Takeovers int
	// Deaths is how many of these members had the entry in flight alone in their process. A store
	// counts MaxDeaths at most.
	Deaths int
}
