package splits

import (
	"context"
	"errors"
	"fmt"
)

// claimed is a lease that was just granted, the position that came with it, and what is known of
// the stream.
type claimedSplit struct {
	lease Lease
	at    Position
	streamMemory
	// deleted and resolved are those of the claim's answer.
	deleted  uint64
	resolved bool
	// halt is why the split must not be read.
	stopped error
}

// recover looks whether the streams are the ones in which the stored positions were reached. One
// that is not was recreated or rolled back, and waiting there could last for ever: it is begun
// anew, under the new epoch, so that no late commit of an old position can undo that.
func (c *claimer) resume(ctx context.Context, got []claimedSplit) (kept []claimedSplit) {
	if len(got) == 0 {
		return nil
	}
	splits := make([]Split, len(got))
	for i, g := range got {
		splits[i] = g.lease.Split
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	states, err := c.cfg.Streams.State(ctx, splits)
	if err != nil {
		states = make([]State, len(got))
		for i := range states {
			states[i].Err = err
		}
	}
	var losses []Loss
	var deleted []Split
	for i, g := range got {
		if g.streamMemory = c.set.recall(g.lease.Split, g.at); g.epoch > 0 && g.epoch <= g.deleted {
			if g.rolledBack {
				deleted = append(deleted, g.lease.Split)
			}
			g.streamMemory = streamMemory{} // the stream is another one on purpose
		}
		s := states[i]
		switch {
		case s.Err != nil && g.rolledBack:
			c.failAgain(g.lease, s.Err)
			continue
		case s.Err != nil: // the reads will tell, and the auditor looks again
		case g.rolledBack || s.rolledBackFrom(g.lastState, g.at):
			loss, err := c.rewind(ctx, &g, s)
			if err != nil {
				c.failAgain(g.lease, err)
				continue
			}
			losses = append(losses, loss)
		default:
			g.lastState = s
		}
		kept = append(kept, g)
	}
	if len(deleted) > 0 {
		c.cfg.Observer.Fenced(deleted, ErrDeleted)
	}
	if len(losses) > 0 {
		c.cfg.Observer.Lost(losses)
	}
	return kept
}

// failAgain notes that the split of a lease can't be read yet, and has it claimed again soon.
func (c *claimer) failAgain(l Lease, err error) {
	c.unread[l.Split] = l
	if errors.Is(err, ErrFenced) {
		c.retry(l.Split, 0) // an operator, or another member, was there meanwhile
		return
	}
	c.fail(l.Split, err)
	c.retry(l.Split, c.cfg.Heartbeat)
}

// rewind moves a split whose stream went back to where reading has to go on, or halts it.
func (c *claimer) rewind(ctx context.Context, g *claimedSplit, s State) (Loss, error) {
	read := max(g.end.EntriesRead, g.at.EntriesRead)
	spent := g.fullyRead(s)
	loss := Loss{
		Split: g.lease.Split, After: g.at.Offset, Entries: s.lostUnread(g.lastState, read), Recreated: true, Gone: !s.Exists,
		FullyRead: spent, Stopped: c.cfg.FailOnLoss && !spent,
	}
	if loss.Stopped {
		g.stopped = &LossError{Loss: loss}
		return loss, nil
	}
	to, err := c.resumeAt(ctx, *g, s)
	if err != nil {
		return Loss{}, err
	}
	if to != g.at {
		if err := c.cfg.Leases.Reset(ctx, c.cfg.TTL, Commit{Lease: g.lease, Position: to}); err != nil {
			return Loss{}, err
		}
	}
	if loss.From = to.Offset; to.Offset != (Offset{}) {
		loss.ReadLost = s.lostRead(read)
	}
	g.at, g.streamMemory = to, streamMemory{lastState: s, fingerprints: g.fingerprints.within(Offset{}, to.Offset)}
	return loss, nil
}

// spent reports whether the stream went away after all that was seen of it had been acknowledged,
// and nothing else did: had the store lost more, the position would be gone too.
func (g claimedSplit) fullyRead(s State) bool {
	return g.lastState.fullyReadAt(g.done) && !g.resolved && (!s.Exists || !s.hasEntriesUpTo(g.at.Offset))
}

// undone is how many of the entries that were read are gone from a stream that went back.
func (s State) lostRead(read int64) int64 {
	if !s.Exists || s.EntriesAdded < 0 {
		return 0
	}
	return max(0, read-s.EntriesAdded)
}

// resumeAt finds the position from which a stream that went back has to be read so that nothing is
// passed over.
func (c *claimer) resumeAt(ctx context.Context, g claimedSplit, s State) (Position, error) {
	begin := Position{EntriesRead: CountUnknown} // the first entry
	if s.EntriesAdded >= 0 {
		begin.EntriesRead = s.removed()
	}
	if !s.hasEntriesUpTo(g.at.Offset) {
		return Position{Offset: g.at.Offset, EntriesRead: begin.EntriesRead}, nil // all that is there lies behind it
	}
	if s.Length == 0 {
		return begin, nil
	}
	known, err := c.newestKept(ctx, g.lease.Split, g.fingerprints.within(s.First, s.Last))
	switch {
	case err != nil:
		return Position{}, err
	case known == nil:
		return begin, nil
	}
	to := known.at
	if g.at.Offset.Compare(to.Offset) <= 0 {
		to = g.at // not acknowledged beyond
	}
	if !g.divergedBehind(s, *known) || s.EntriesAdded < to.EntriesRead {
		to.EntriesRead = CountUnknown
	}
	return to, nil
}

// parts reports whether the histories are known to part behind a mark that the stream has:
// something that was read behind it is gone. Else they parted before, unseen, and the count at the
// mark is that of neither.
func (g claimedSplit) divergedBehind(s State, known fingerprint) bool {
	return s.Last.Before(g.end.Offset) || known.at.Offset.Before(g.fingerprints[len(g.fingerprints)-1].at.Offset)
}

// lastKnown returns the newest of the marks that the stream still has, nil if it has none. They are
// searched by halves: of a history that parts from the one that was read, all marks before the
// parting are there and none behind it.
func (c *claimer) newestKept(ctx context.Context, s Split, all fingerprints) (newest *fingerprint, err error) {
	low, high := 0, len(all)
	for low < high {
		middle := (low + high) / 2
		found, err := c.hasEntry(ctx, s, all[middle])
		switch {
		case err != nil:
			return nil, fmt.Errorf("looking for offset %s: %w", all[middle].at.Offset, err)
		case found:
			newest, low = &all[middle], middle+1
		default:
			high = middle
		}
	}
	return newest, nil
}

// has asks whether the stream has the entry of the mark.
func (c *claimer) hasEntry(ctx context.Context, s Split, m fingerprint) (bool, error) {
	fetched, err := c.cfg.Streams.Fetch(
		ctx,
		FetchRequest{Cursors: []Cursor{{Split: s, After: m.at.Offset.Prev()}}, Count: 1},
	)
	if err != nil {
		return false, err
	}
	if fetched[0].Err != nil {
		return false, fetched[0].Err
	}
	return len(fetched[0].Entries) > 0 && m.matches(fetched[0].Entries[0]), nil
}
