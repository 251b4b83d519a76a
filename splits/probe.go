package splits

// The state of a stream comes with its first and its last entry, so looking at one with large entries costs as much as reading two. Probes
// then cover several reads: what was lost between them is counted all the same.
const (
	// heavyEntry is the size from which a look is put off,
	heavyEntry = 16 << 10
	// until so many entries have come, or none did.
	heavyProbe = 16
)

// due reports whether the next read is to look at the stream; a nil probe never is.
func (p *probe) due() bool {
	return p != nil && (p.quiet || len(p.entries) >= heavyProbe || p.entries[len(p.entries)-1].Size() < heavyEntry)
}

// with is the probe after one more read, which had entries behind a position; p is nil if there is none. Of earlier reads it keeps the
// offsets alone, and nothing if the store could not tell when it was asked.
func (p *probe) with(before Position, entries []Entry) *probe {
	if p == nil || p.due() {
		return &probe{before: before, entries: entries}
	}
	all := make([]Entry, 0, len(p.entries)+len(entries))
	for _, e := range p.entries {
		all = append(all, Entry{Offset: e.Offset})
	}
	return &probe{before: p.before, entries: append(all, entries...)}
}
