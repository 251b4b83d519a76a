package splits

import (
	"context"
	"errors"
	"fmt"
)

// grant is a lease that was just granted, and what the store returned with it.
type grant struct {
	lease    Lease
	at       Position
	finished []Range
	deleted  uint64 // Granted.Deleted
	resolved bool   // Granted.Resolved
	adopting string // Granted.Adopting
	failing  []Attempted
	attempts int // Granted.Attempts
	suspect  Suspect
	deaths   []Offset // Granted.Deaths
}

// claimedSplit is a granted split with the position from which it is read.
type claimedSplit struct {
	lease        Lease
	at           Position
	finished     []Range // see Granted
	lastState    State
	fingerprints fingerprints
	stopped      error  // why the split must not be read; nil if it may
	adopting     string // Granted.Adopting
	failing      []Attempted
	unsure       []Attempted // may be about other entries than those that the stream has
	attempts     int         // Granted.Attempts
	suspect      Suspect
	deaths       []Offset // Granted.Deaths
}

// resumeAll decides for each granted split where it is read on, and returns the splits that can be
// read. For the others it schedules another claim.
func (c *claimer) resumeAll(ctx context.Context, grants []grant) (claimed []claimedSplit) {
	if len(grants) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	states := c.statesOf(ctx, grants)
	var losses []Loss
	var deleted []Split
	for i, g := range grants {
		memory := c.set.recall(g.lease.Split, g.at)
		if memory.epoch > 0 && memory.epoch <= g.deleted { // an operator deleted the stream on purpose
			if memory.rolledBack {
				deleted = append(deleted, g.lease.Split)
			}
			memory = streamMemory{}
		}
		split, loss, err := c.resume(ctx, g, memory, states[i])
		if err != nil {
			c.claimAgain(g.lease, err)
			continue
		}
		if loss != nil {
			losses = append(losses, *loss)
		}
		claimed = append(claimed, split)
	}
	if len(deleted) > 0 {
		c.cfg.Observer.Fenced(deleted, ErrDeleted)
	}
	if len(losses) > 0 {
		c.cfg.Observer.Lost(losses)
	}
	return claimed
}

// statesOf returns the states of the streams. If the request fails, each state has its error.
func (c *claimer) statesOf(ctx context.Context, grants []grant) []State {
	splits := make([]Split, len(grants))
	for i, g := range grants {
		splits[i] = g.lease.Split
	}
	states, err := c.cfg.Streams.State(ctx, splits)
	if err != nil {
		states = make([]State, len(grants))
		for i := range states {
			states[i].Err = err
		}
	}
	return states
}

// claimAgain schedules another claim of a granted split that can't be read yet.
func (c *claimer) claimAgain(l Lease, err error) {
	c.claimOf(l.Split).unread = &l
	if errors.Is(err, ErrFenced) {
		c.retryAfter(l.Split, 0) // an operator or another member changed the lease meanwhile
		return
	}
	c.fail(l.Split, err)
	c.retryAfter(l.Split, c.cfg.Heartbeat)
}

// resume returns where one granted split is read on. If its stream is not the one in which the
// position was reached, the stream was recreated or rolled back, and a read behind that position
// could wait forever. Then resume returns the loss, and either resets the position or, under
// Config.FailOnLoss, returns a split that is stopped. The reset happens under the new epoch, so
// that no late commit of an older position can undo it.
func (c *claimer) resume(ctx context.Context, g grant, m streamMemory, s State) (claimedSplit, *Loss, error) {
	split := claimedSplit{
		lease: g.lease, at: g.at, lastState: m.lastState, fingerprints: m.fingerprints, adopting: g.adopting,
		attempts: g.attempts,
	}
	switch {
	case s.Err != nil && m.rolledBack:
		return split, nil, s.Err
	case s.Err != nil:
		split.unsure = g.failing
		return split, nil, nil //nolint:nilerr // the next reads and the auditor check the stream
	case !m.rolledBack && !s.rolledBackFrom(m.lastState, g.at):
		split.lastState = s
		return c.withFinished(ctx, g, split)
	}
	read := max(m.end.EntriesRead, g.at.EntriesRead)
	fullyRead := m.fullyRead(g, s)
	loss := Loss{
		Split: g.lease.Split, After: g.at.Offset, Entries: s.lostUnread(m.lastState, read),
		Recreated: true, Gone: !s.Exists, FullyRead: fullyRead, Stopped: c.cfg.FailOnLoss && !fullyRead,
	}
	if loss.Stopped {
		split.stopped = &LossError{Loss: loss, Remedy: c.cfg.Remedies.Stopped}
		return split, &loss, nil
	}
	to, err := c.resumeAt(ctx, g, m, s)
	if err != nil {
		return split, nil, err
	}
	if to != g.at || len(g.finished) > 0 || len(g.failing) > 0 || g.suspect != (Suspect{}) || len(g.deaths) > 0 {
		if err := c.cfg.Leases.Reset(ctx, c.cfg.TTL, Commit{Lease: g.lease, Position: to}); err != nil {
			return split, nil, err
		}
	}
	if loss.From = to.Offset; to.Offset != (Offset{}) {
		loss.ReadLost = s.lostRead(read)
	}
	split.at, split.lastState, split.fingerprints = to, s, m.fingerprints.within(Offset{}, to.Offset)
	return split, &loss, nil
}

// withFinished adds to a split what a grant says of entries behind the position: the finished
// ranges, and the entries that failed or are suspected. Nothing was ever inserted before an entry,
// so the stream still has these entries, or it ends before them: then it was rolled back, and other
// entries may get the same offsets. So all of it is forgotten, here and in the store.
func (c *claimer) withFinished(ctx context.Context, g grant, split claimedSplit) (claimedSplit, *Loss, error) {
	var last Offset
	if n := len(g.finished); n > 0 {
		last = g.finished[n-1].Last
	}
	if n := len(g.failing); n > 0 {
		last = maxOffset(last, g.failing[n-1].Offset)
	}
	for _, offset := range append([]Offset{g.suspect.UpTo}, g.deaths...) {
		last = maxOffset(last, offset)
	}
	if split.lastState.Last.Before(last) {
		return split, nil, c.cfg.Leases.Reset(ctx, c.cfg.TTL, Commit{Lease: g.lease, Position: g.at})
	}
	split.finished, split.failing, split.suspect, split.deaths = g.finished, g.failing, g.suspect, g.deaths
	return split, nil, nil
}

// fullyRead reports whether everything that was seen of the stream had been acknowledged when the
// stream went away, and the store lost nothing else: otherwise the position would be lost too.
func (m streamMemory) fullyRead(g grant, s State) bool {
	return m.lastState.fullyReadAt(m.done) && !g.resolved && (!s.Exists || !s.hasEntriesUpTo(g.at.Offset))
}

// resumeAt returns the position from which a stream that was recreated or rolled back has to be
// read so that no entry is skipped: behind the newest entry that was read and that the stream still
// has, or from its first entry.
func (c *claimer) resumeAt(ctx context.Context, g grant, m streamMemory, s State) (Position, error) {
	begin := Position{EntriesRead: CountUnknown} // before the first entry
	if s.EntriesAdded >= 0 {
		begin.EntriesRead = s.removed()
	}
	if !s.hasEntriesUpTo(g.at.Offset) { // all its entries are behind the position
		return Position{Offset: g.at.Offset, EntriesRead: begin.EntriesRead}, nil
	}
	if s.Length == 0 {
		return begin, nil
	}
	kept, err := c.newestKept(ctx, g.lease.Split, m.fingerprints.within(s.First, s.Last))
	switch {
	case err != nil:
		return Position{}, err
	case kept == nil:
		return begin, nil
	}
	to := kept.at
	if g.at.Offset.Compare(to.Offset) <= 0 {
		to = g.at // what lies behind it is not acknowledged
	}
	if !m.divergedBehind(s, *kept) || s.EntriesAdded < to.EntriesRead {
		to.EntriesRead = CountUnknown
	}
	return to, nil
}

// divergedBehind reports whether an entry that was read after the fingerprint is missing in the
// stream. If none is, the histories diverge at an unknown place before the fingerprint, and its
// count can't be trusted.
func (m streamMemory) divergedBehind(s State, kept fingerprint) bool {
	return s.Last.Before(m.end.Offset) || kept.at.Offset.Before(m.fingerprints[len(m.fingerprints)-1].at.Offset)
}

// newestKept returns the newest fingerprint whose entry the stream still has; nil if it has none.
// It is a binary search: a stream that diverges from the one that was read has all entries before
// the divergence and none behind it.
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

// hasEntry reports whether the stream has the entry of the fingerprint.
func (c *claimer) hasEntry(ctx context.Context, s Split, f fingerprint) (bool, error) {
	fetched, err := c.cfg.Streams.Fetch(
		ctx,
		FetchRequest{Cursors: []Cursor{{Split: s, After: f.at.Offset.Prev()}}, Count: 1},
	)
	if err != nil {
		return false, err
	}
	if fetched[0].Err != nil {
		return false, fetched[0].Err
	}
	return len(fetched[0].Entries) > 0 && f.matches(fetched[0].Entries[0]), nil
}
