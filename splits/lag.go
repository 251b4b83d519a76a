package splits

// Lag is the number of entries of a stream behind a position.
type Lag struct {
	// Entries is the number of entries, or an upper bound of it.
	Entries int64
	// Exact is false if Entries is an upper bound.
	Exact bool
}

// Lag returns the lag of a position in a stream of this state. All parts of the program use this
// function: metrics, messages, the command line, and the Redis consumer group that tools read.
// accounted is what is known from counting, see [Commit.Accounted]; CountUnknown if nothing is
// known.
//
// Entries that were removed before they were read are not part of the lag, since no member can read
// them. If EntriesAdded is known, the lag is a difference, provided that the position has a count
// and no entry behind it was deleted by XDEL. Otherwise the length of the stream is an upper bound,
// and Streams.Count can determine the lag.
func (s State) Lag(p Position, accounted int64) Lag {
	switch {
	case !s.Exists || s.Length == 0 || s.Last == p.Offset:
		return Lag{Exact: true}
	// The stream was rolled back; the next owner determines where to read.
	case s.Last.Before(p.Offset):
		return Lag{Entries: s.Length}
	case p.Offset.Before(s.First):
		return Lag{Entries: s.Length, Exact: true}
	}
	most := s.Length - 1 // the first entry is not behind the position
	if known := max(p.EntriesRead, accounted); known >= 0 && known <= s.EntriesAdded {
		most = min(most, s.EntriesAdded-known)
	}
	counted := p.EntriesRead >= 0 && s.EntriesAdded >= p.EntriesRead
	return Lag{Entries: most, Exact: most == 0 || counted && s.MaxDeleted.Compare(p.Offset) <= 0}
}

// accounted returns [Commit.Accounted] for a position, CountUnknown if the store does not count.
// The state may be older than the position. atLeast is what was known before.
func (s State) accounted(p Position, atLeast int64) int64 {
	switch {
	case !s.Exists || s.EntriesAdded < 0:
		return max(p.EntriesRead, atLeast)
	case s.Last.Compare(p.Offset) <= 0: // the state may be older than the position
		return max(p.EntriesRead, s.EntriesAdded)
	}
	return s.EntriesAdded - s.Lag(p, atLeast).Entries
}

// lagOf returns the lag of a split in a stream of this state.
func (snap splitSnapshot) lagOf(s State) Lag {
	lag := s.Lag(snap.done, snap.accounted)
	switch {
	case lag.Exact:
	case s.Last.Compare(snap.next.Offset) <= 0: // everything behind done was fetched
		lag.Entries = min(lag.Entries, snap.ahead)
		lag.Exact = s.MaxDeleted.Compare(snap.done.Offset) <= 0 && !s.Last.Before(snap.done.Offset)
	case snap.exact.holds(snap.done.Offset, s):
		lag.Exact = true
	}
	return lag
}

// exactCount notes that a count was exact. It stays exact as long as no entry is removed.
type exactCount struct {
	at      Offset
	removed int64
	valid   bool
}

func (c exactCount) holds(at Offset, s State) bool {
	return c.valid && c.at == at && c.removed == s.removed()
}
