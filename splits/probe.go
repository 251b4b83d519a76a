package splits

// The state of a stream comes with its first and its last entry, so looking at one with large
// entries costs as much as reading two. Probes then cover several reads: what was lost between them
// is counted all the same.
const (
	// heavyEntry is the size from which a look is put off,
	largeStateEntry = 16 << 10
	// until so many entries have come, or none did.
	maxUnchecked = 16
	// mostHeavyLooks is how many of those one request has.
	maxLargeStates = 8
)

// due reports whether the next read is to look at the stream; a nil probe never is.
func (p *uncheckedReads) due() bool {
	return p != nil && (p.quiet || len(p.offsets) >= maxUnchecked || !p.large())
}

func (p *uncheckedReads) large() bool { return p.size >= largeStateEntry }

// with is the probe after one more read, which had entries behind a position; p is nil if there is
// none. One that should have been judged keeps nothing of earlier reads: the store could not tell
// when it was asked.
func (p *uncheckedReads) with(before Position, entries []Entry) *uncheckedReads {
	next := uncheckedReads{before: before}
	if p != nil && !p.due() {
		next = *p
	}
	next = next.and(entries)
	return &next
}
