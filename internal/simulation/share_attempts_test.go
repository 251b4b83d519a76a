package simulation

import (
	"context"

	"github.com/rafka-streams/rafka/splits"
)

// What members of a share group know of entries that failed before.

// clientShares observes which answers reach a process.
type clientShares struct {
	splits.Shares
	oracle  *shareOracle
	process *shareProcess
}

func (c *clientShares) Load(ctx context.Context, l splits.ShareLoad) (splits.ShareLoaded, error) {
	loaded, err := c.Shares.Load(ctx, l)
	if err == nil {
		c.oracle.noteLoaded(c.process, l, loaded)
	}
	return loaded, err
}

// noteLoaded records what a process has learned of entries that failed before. An entry that it
// loads was pending at it, or at another member, and is handed out with the next batch that has it.
func (o *shareOracle) noteLoaded(p *shareProcess, l splits.ShareLoad, loaded splits.ShareLoaded) {
	o.mu.Lock()
	defer o.mu.Unlock()
	failing := map[splits.Offset]splits.Attempted{}
	for _, a := range loaded.Failing {
		failing[a.Offset] = a
	}
	for _, e := range loaded.Entries {
		r := o.records[e.Fields[1]]
		p.deaths[r] = p.answered[r]
		if a, failed := failing[e.Offset]; failed {
			o.note(p.name, l.Split.Key, "loads %s, which failed %d times (letter: %v)", r.id, a.Attempts, a.Lettered)
			p.failing[r] = a
		} else {
			delete(p.failing, r)
		}
	}
}

// checkAttempts checks the first delivery of an entry that failed at another member, or was loaded
// again: it is alone, and the attempts go on where they were. An entry that is delivered again
// after the group was moved, or after damage, begins as a new one. The caller holds the lock.
func (o *shareOracle) checkAttempts(p *shareProcess, r *shareRecord, b *splits.Batch) {
	a, failed := p.failing[r]
	if !failed {
		return
	}
	delete(p.failing, r)
	switch {
	case o.damaged || o.everSought(b.Split):
	case a.Lettered:
		o.violated(b.Split.Key, "%s is handed out, but it was noted that it has a letter", r.id)
	case len(b.Entries) > 1 || b.Deliveries != a.Attempts+1:
		o.violated(b.Split.Key, "%s is handed out with %d others as delivery %d, but had failed %d times",
			r.id, len(b.Entries)-1, b.Deliveries, a.Attempts)
	default:
		o.counts.count("(attempts taken over)")
	}
}
