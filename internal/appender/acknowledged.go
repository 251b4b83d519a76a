package appender

// Number is what a store knows about a producer: the epoch and the sequence number of the last
// append that it wrote. The zero Number means that the store knows nothing.
type Number struct{ Epoch, Seq uint64 }

func (n Number) before(m Number) bool {
	return n.Epoch < m.Epoch || n.Epoch == m.Epoch && n.Seq < m.Seq
}

// Lost counts records that were reported as written and that the store does not have any more.
type Lost struct {
	Records int64
	// Exact is false if there can be more lost records: those were written too long ago to be
	// remembered.
	Exact bool
}

// maxRemembered is how many appends of a partition are remembered, at two bytes each.
const maxRemembered = 4096

// acknowledged remembers how many records the last appends of a partition had. With it, the
// Appender can count the records that a store lost when it went back to an earlier state.
type acknowledged struct {
	runs []appendRun
	kept int
	// forgotten is the last append that is not remembered.
	forgotten Number
}

// appendRun is a run of appends of one epoch with consecutive numbers.
type appendRun struct {
	epoch, first uint64
	counts       []uint16
}

func (r appendRun) number(i int) Number { return Number{r.epoch, r.first + uint64(i)} }

// add records an append that the store confirmed. The calls must be in the order of the numbers.
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

// forgetUpTo forgets all appends up to n, because a number that the store reports may or may not
// include the append n.
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

// takeAfter removes the appends after stored, the last number that the store has. It returns how
// many records they had.
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
