package splits

// Lag is how many entries of a stream lie behind a position.
type Lag struct {
	// Entries is the number of entries, or an upper bound of it.
	Entries int64
	// Exact is false if Entries is an upper bound.
	Exact bool
}

// Lag computes the lag of a position in a stream of this state. It is the one function for it:
// metrics, messages, the command line and the Redis consumer group that tools look at show what it
// returns. accounted is what is known from counting, see [Commit.Accounted]; ReadUnknown if nothing
// is.
//
// Entries that were removed before they were read are no lag, since no member can read them. A
// stream that counts what was ever added gives the lag by subtraction, as long as the position has
// a count and nothing behind it was deleted by XDEL. Otherwise the length of the stream bounds the
// lag, and Count can find out.
func (s State) Lag(p Position, accounted int64) Lag {
	switch {
	case !s.Exists || s.Length == 0 || s.Last == p.Offset:
		return Lag{Exact: true}
	case s.Last.Before(p.Offset): // the stream went back: the next owner finds out from where to read
		return Lag{Entries: s.Length}
	case p.Offset.Before(s.First):
		return Lag{Entries: s.Length, Exact: true}
	}
	most := s.Length - 1 // the first entry is not behind the position
	if known := max(p.EntriesRead, accounted); known >= 0 && known <= s.EntriesAdded {
		most = min(most, s.EntriesAdded-known)
	}
	return Lag{
		Entries: most,
		Exact:   most == 0 || p.EntriesRead >= 0 && s.EntriesAdded >= p.EntriesRead && s.MaxDeleted.Compare(p.Offset) <= 0,
	}
}

// accounted is the count of a position for [Commit.Accounted], ReadUnknown if the store does not
// count. The state may be older than the position. atLeast is what was known before.
func (s State) accounted(p Position, atLeast int64) int64 {
	switch {
	case !s.Exists || s.EntriesAdded < 0:
		return max(p.EntriesRead, atLeast)
	case s.Last.Compare(p.Offset) <= 0: // the state may be older than the position
		return max(p.EntriesRead, s.EntriesAdded)
	}
	return s.EntriesAdded - s.Lag(p, atLeast).Entries
}

// lagOf is the lag of a split as the auditor found it, in a stream of this state.
func (l splitSnapshot) lagOf(s State) Lag {
	lag := s.Lag(l.done, l.accounted)
	switch {
	case lag.Exact:
	case s.Last.Compare(l.next.Offset) <= 0: // all that lies behind is in our hands
		lag.Entries = min(lag.Entries, l.ahead)
		lag.Exact = s.MaxDeleted.Compare(l.done.Offset) <= 0 && !s.Last.Before(l.done.Offset)
	case l.exact.holds(l.done.Offset, s):
		lag.Exact = true
	}
	return lag
}

// checked says that a count was exact, for as long as nothing is removed.
type exactCount struct {
	at      Offset
	removed int64
	valid   bool
}

func (c exactCount) holds(at Offset, s State) bool {
	return c.valid && c.at == at && c.removed == s.removed()
}
