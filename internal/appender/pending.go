package appender

// Pending is the promise that one call of Append hands out. Its methods may be called concurrently.
type Pending struct {
	target  Target
	records []Record
	done    chan struct{}
	stalled chan struct{}

	// The following fields are written under the Appender's lock. errs does not change after done is
	// closed.
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

// Done is closed when every record has its outcome, even when the records went out in several
// appends.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Stalled is closed when the records have begun to wait for a retry: at the first failed attempt of
// an append that carries any of them, or as soon as they are queued behind an append that is being
// retried. It stays open if that never happens, and it may be closed although the records are
// written later.
func (p *Pending) Stalled() <-chan struct{} { return p.stalled }

// Errs waits for Done and returns nil if all records were written; else one error for each record,
// nil for those that were. The caller must not change it.
func (p *Pending) Errs() []error {
	<-p.done
	return p.errs
}

// fit tells how many of the records that are not yet taken fit into so many records and bytes, and
// their size. The first of an append fits at any size.
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

// resolve gives n records their outcome, from the given one on.
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

// failRest fails what has not gone into an append.
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
