package appender

// Number is what a store knows of a producer: the epoch and sequence number of the last append that
// it wrote. The zero Number is none.
type Number struct{ Epoch, Seq uint64 }

func (n Number) before(m Number) bool {
	return n.Epoch < m.Epoch || n.Epoch == m.Epoch && n.Seq < m.Seq
}

// Lost is how many records that were reported as written the store does not have any more.
type Lost struct {
	Records int64
	// Exact is false if there may be more: they were written too long ago to be remembered, one by
	// one.
	Exact bool
}

// mostKept is how many appends of a partition are remembered, at two bytes each.
const mostKept = 4096

// acknowledged remembers how many records the last appends of a partition had, so that it can be
// told what a store has lost that went back.
type acknowledged struct {
	runs []run
	kept int
	// forgotten is the last append of which nothing is remembered.
	forgotten Number
}

// run is appends of one epoch that follow on each other.
type run struct {
	epoch, first uint64
	counts       []uint16
}

func (r run) number(i int) Number { return Number{r.epoch, r.first + uint64(i)} }

// add notes an append that the store has confirmed. Appends are added in the order of their
// numbers.
func (h *acknowledged) add(n Number, records int) {
	last := len(h.runs) - 1
	if last < 0 || h.runs[last].number(len(h.runs[last].counts)) != n {
		h.runs = append(h.runs, run{epoch: n.Epoch, first: n.Seq})
		last++
	}
	h.runs[last].counts = append(h.runs[last].counts, uint16(min(records, maxAppendRecords)))
	if h.kept++; h.kept > mostKept {
		h.forget(mostKept / 2)
	}
}

// doubt notes an append of which nobody knows whether the number that a store tells includes it.
func (h *acknowledged) doubt(n Number) { *h = acknowledged{forgotten: n} }

// forget drops the n oldest appends.
func (h *acknowledged) forget(n int) {
	h.kept -= n
	for n > 0 {
		r := &h.runs[0]
		dropped := min(n, len(r.counts))
		h.forgotten = r.number(dropped - 1)
		r.first += uint64(dropped)
		r.counts = append([]uint16(nil), r.counts[dropped:]...)
		if n -= dropped; len(r.counts) == 0 {
			h.runs = h.runs[1:]
		}
	}
}

// since takes out the appends behind a number, which is the last one that the store has.
func (h *acknowledged) since(stored Number) Lost {
	lost := Lost{Exact: !stored.before(h.forgotten)}
	for len(h.runs) > 0 {
		r := &h.runs[len(h.runs)-1]
		for len(r.counts) > 0 && stored.before(r.number(len(r.counts)-1)) {
			lost.Records += int64(r.counts[len(r.counts)-1])
			r.counts = r.counts[:len(r.counts)-1]
			h.kept--
		}
		if len(r.counts) > 0 {
			break
		}
		h.runs = h.runs[:len(h.runs)-1]
	}
	return lost
}
