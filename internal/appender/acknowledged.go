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

// maxRemembered is how many appends of a partition are remembered, at two bytes each.
const maxRemembered = 4096

// acknowledged remembers how many records the last appends of a partition had, so that it can be
// told what a store has lost that went back.
type acknowledged struct {
	runs []appendRun
	kept int
	// forgotten is the last append of which nothing is remembered.
	forgotten Number
}

// appendRun is appends of one epoch that follow on each other.
type appendRun struct {
	epoch, first uint64
	counts       []uint16
}

func (r appendRun) number(i int) Number { return Number{r.epoch, r.first + uint64(i)} }

// add notes an append that the store has confirmed. Appends are added in the order of their
// numbers.
func (h *acknowledged) add(n Number, records int) {
	last := len(h.runs) - 1
	if last < 0 || h.runs[last].number(len(h.runs[last].counts)) != n {
		h.runs = append(h.runs, appendRun{epoch: n.Epoch, first: n.Seq})
		last++
	}
	h.runs[last].counts = append(h.runs[last].counts, uint16(min(records, maxAppendRecords)))
	if h.kept++; h.kept > maxRemembered {
		h.forget(maxRemembered / 2)
	}
}

// forgetUpTo forgets all appends up to n, since it is not known whether a number that the store
// reports includes the append n.
func (h *acknowledged) forgetUpTo(n Number) { *h = acknowledged{forgotten: n} }

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

// takeAfter removes the appends after a number, which is the last one that the store has, and returns
// how many records they had.
func (h *acknowledged) takeAfter(stored Number) Lost {
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
