package simulation

import (
	"context"
	"fmt"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// flight is an entry of which a process has told the store that the entry is in flight, or is about
// to be, and nothing else in the process.
type flight struct {
	process string
	split   string // its key
	at      splits.Offset
	// held ends when the process knows that it does not have the entry any more; nil if the entry was
	// not handed out.
	held context.Context
	// mixed: other batches of the process were in flight meanwhile. Batches do not count that were
	// handed out when the process knew that it did not have the entry any more.
	mixed bool
}

// takeOff notes that a process has told the store that an entry is in flight alone.
func (k *letterBook) takeOff(process string, split splits.Split, at splits.Offset) *flight {
	p := k.pipeline(process)
	f := &flight{process: process, split: split.Key, at: at}
	f.mixed = p.beside(f) != nil
	p.flights[f] = true
	return f
}

// land notes that the store does not have any more that an entry is in flight alone.
func (k *letterBook) land(f *flight) {
	if f != nil {
		delete(k.pipeline(f.process).flights, f)
	}
}

// beside returns a batch that is in the pipeline and is not this entry; nil if there is none.
func (p *pipelineModel) beside(f *flight) *attempt {
	for a := range p.open {
		if !f.is(a) {
			return a
		}
	}
	return nil
}

// is reports whether a batch consists of the entry.
func (f *flight) is(a *attempt) bool { return len(a.offsets) == 1 && f.isIn(a) }

// isIn reports whether a batch has the entry.
func (f *flight) isIn(a *attempt) bool { return a.split == f.split && slices.Contains(a.offsets, f.at) }

// inPipeline reports whether the entry is in the pipeline.
func (p *pipelineModel) inPipeline(f *flight) bool {
	for a := range p.open {
		if f.is(a) {
			return true
		}
	}
	return false
}

// objection returns why a process must not hand out a batch, since an entry is in flight alone; ""
// if it may. held ends when the process knows that it does not have the entries any more.
func (p *pipelineModel) objection(held context.Context, a *attempt) (why string) {
	for f := range p.flights {
		switch other := p.beside(f); {
		case f.is(a):
			f.held = held
			if other != nil {
				f.mixed = true
				why = fmt.Sprintf("%v is handed out as if nothing else were in flight, but %v is", a.ids, other.ids)
			}
		case f.isIn(a):
			f.mixed = true
			why = fmt.Sprintf("%v are handed out as if %v were in flight alone", a.ids, f.at)
		case f.held == nil:
			f.mixed = true // the process can have lost the entry before it was handed out
		case f.held.Err() == nil:
			f.mixed = true
			if p.inPipeline(f) {
				why = fmt.Sprintf("%v is handed out while %v of %s is to be in flight alone", a.ids, f.at, f.split)
			}
		}
	}
	return why
}
