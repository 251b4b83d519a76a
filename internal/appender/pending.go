package appender

// Pending is the future outcome of one call of Append. Its methods can be called concurrently.
type Pending struct {
	target  Target
	records []Record
	done    chan struct{}
	stalled chan struct{}

	// The following fields are written under the Appender's lock. errs does not change after done
	// is closed.
	taken     int // records that have gone into a batch, from the front
	left      int // records without an outcome
	errs      []error
	isStalled bool // stalled is closed
}

func newPending(t Target, records []Record) *Pending {
	p := &Pending{
		target: t, records: records, left: len(records),
		done: make(chan struct{}), stalled: make(chan struct{}),
	}
	if p.left == 0 {
		close(p.done)
	}
	return p
}

// Done returns a channel that is closed when every record has its outcome, even if the records were
// sent in several appends.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Stalled returns a channel that is closed when the records begin to wait for a retry: after the
// first failed attempt of an append with any of the records, or as soon as the records are queued
// behind an append that is being retried. The records can still be written afterwards.
func (p *Pending) Stalled() <-chan struct{} { return p.stalled }

// Errs waits for Done. It returns nil if all records are written, or one error per record, nil for
// written ones. The caller must not change the slice.
func (p *Pending) Errs() []error {
	<-p.done
	return p.errs
}

// fit returns how many of the records that are not in a batch yet fit into the given numbers of
// records and bytes, and their size. The first record of a batch fits at any size.
func (p *Pending) fit(records, bytes int, first bool) (n, size int) {
	for _, r := range p.records[p.taken:] {
		s := r.Size()
		if n == records || size+s > bytes && !first {
			break
		}
		n, size, first = n+1, size+s, false
	}
	return n, size
}

// resolve gives n records, beginning with the record at index from, their outcome.
func (p *Pending) resolve(from, n int, err error) {
	if err != nil && n > 0 {
		if p.errs == nil {
			p.errs = make([]error, len(p.records))
		}
		for i := range n {
			p.errs[from+i] = err
		}
	}
	if p.left -= n; p.left == 0 && n > 0 {
		p.records = nil
		close(p.done)
	}
}

// failRest fails the records that are not in a batch yet.
func (p *Pending) failRest(err error) {
	from := p.taken
	p.taken = len(p.records)
	p.resolve(from, p.taken-from, err)
}

// stall closes Stalled, once.
func (p *Pending) stall() {
	if !p.isStalled {
		p.isStalled = true
		close(p.stalled)
	}
}
