package splits

// ahead is how many entries were fetched behind the position that may be committed.
func (o *ownedSplit) fetchedAhead() int64 { return int64(o.tracker.Ahead()) + o.bufferedEntries() }

func (o *ownedSplit) bufferedEntries() (n int64) {
	for _, b := range o.buffer {
		n += int64(len(b.entries))
	}
	return n
}

// account is what a commit of the position says beside it. It never falls while the stream is the
// same. The lock is held.
func (o *ownedSplit) updateAccounted(at Position) int64 {
	o.accounted = max(o.accounted, o.lastState.accounted(at, o.accounted))
	return o.accounted
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
