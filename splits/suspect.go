package splits

// Suspect is what may have killed an earlier owner of a split: one of the entries that were not
// resolved, up to an offset. It is stored with the lease before these entries are handed out. See
// the section Poison of the package.
type Suspect struct {
	// UpTo is the offset of the last entry that is suspected; zero if none is.
	UpTo Offset
	// Flight is what the owner has in flight. It is always NotInFlight in the answer to a claim.
	Flight Flight
	// Turn grows with each change of the suspect under one lease. It is 0 in the answer to a claim.
	Turn int
}

// MaxDeaths is the number of deaths that a store keeps for a split and a group.
const MaxDeaths = 16

// Flight says what the owner of a split has in flight while it suspects an entry.
type Flight int

const (
	// NotInFlight means that no suspect is in flight: they wait to be handed out. If the owner
	// dies, that says nothing of them.
	NotInFlight Flight = iota
	// InFlight means that a batch that ends at Suspect.UpTo is in flight, and perhaps other batches
	// of the process. If the owner dies, the entries up to there are suspects.
	InFlight
	// InFlightAlone means that the entry at Suspect.UpTo is in flight, and nothing else in the
	// process. If the owner dies, that is a death of this entry: see Granted.Deaths.
	InFlightAlone
	// AnyInFlight means that any entry of the split may be in flight: the member suspects none, or
	// can't say what is in flight. Only members of share groups use it.
	AnyInFlight
)
