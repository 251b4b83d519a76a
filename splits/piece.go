package splits

import "time"

// entryRef is one tracked entry.
type entryRef struct {
	span  *span
	index int
}

func (r entryRef) entry() Entry { return r.span.entry(r.index) }

func (r entryRef) isResolved() bool { return r.span.isResolved(r.index) }

func (r entryRef) compare(other entryRef) int {
	return r.entry().Offset.Compare(other.entry().Offset)
}

// piece is a batch, or a part of one that failed.
type piece struct {
	refs        []entryRef
	handedOutAt time.Time
	deliveries  int          // how often it was handed out before
	isolated    bool         // it comes from the isolation
	lanes       []int        // which must not have another batch in flight
	loading     bool         // its entries are loaded before it is handed out
	suspect     bool         // its only entry was named by a hint
	hinted      bool         // it was cut by a hint
	probeOf     *loneFailure // set if it is handed out to see whether any entry can be processed
	lone        *loneFailure // set if its only entry failed alone before
}

// loneFailure is an entry that failed alone.
type loneFailure struct {
	ref        entryRef
	key        string // empty if it has none, or entries have no order
	attempts   int    // failed deliveries of this entry alone
	confirmed  int    // of these, the ones during which no other batch of the process failed
	deliveries int    // deliveries, alone or with others
	due        time.Time
	out        bool      // it is handed out
	followers  []piece   // entries behind it with the same key, in order
	cause      error     // of the last failure
	since      time.Time // when confirmed was counted first
	successes  int       // verdicts.successes at that time
	givenIn    int       // verdicts.row when it was given up last; 0 if it was not
	matches    bool      // the last failure of confirmed is one for which it is given up immediately
	witnessed  int       // verdicts.successes when it failed last
	unjudged   bool      // it was handed out when it was to be decided about
	unnoted    bool      // it is in failingState.unnoted
	stored     bool      // it was stored, or may have been
	wantsProbe bool      // another entry is to be handed out, to see whether any can be processed
	probe      bool      // it was handed out before its turn, as a probe
	killed     int       // owners that died while it was in flight alone, if they are why it is not handed out
	hanging    *Hanging  // what was in flight when it was to be in flight alone
	scanned    int       // entries that were read for that
}

// follow adds an entry that waits for this one; a piece of followers has largest entries at most.
func (l *loneFailure) follow(r entryRef, deliveries, largest int) {
	if n := len(l.followers); n > 0 {
		if last := &l.followers[n-1]; last.deliveries == deliveries && len(last.refs) < largest {
			last.refs = append(last.refs, r)
			return
		}
	}
	l.followers = append(l.followers, piece{refs: []entryRef{r}, deliveries: deliveries})
}

// usableHint reports whether a hint names some of n entries, but not all.
func usableHint(suspects []int, n int) bool {
	return len(suspects) > 0 && len(suspects) < n && suspects[0] >= 0 && suspects[len(suspects)-1] < n
}

func (p piece) part(from, to int) piece {
	return piece{refs: p.refs[from:to:to], deliveries: p.deliveries}
}

// cutAt cuts the piece at suspects, which ascend. The order stays the same.
func (p piece) cutAt(suspects []int) (parts []piece) {
	add := func(from, to int, suspect bool) {
		if from < to {
			part := p.part(from, to)
			part.hinted, part.suspect = true, suspect
			parts = append(parts, part)
		}
	}
	from := 0
	for _, s := range suspects {
		add(from, s, false)
		add(s, s+1, true)
		from = s + 1
	}
	add(from, len(p.refs), false)
	return parts
}
