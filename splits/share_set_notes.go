package splits

import "context"

// The calls of the store that the noter of a member of a share group makes.

// storeNotes stores the attempts at entries that fail.
func (set *shareSet) storeNotes(ctx context.Context, tasks []noteTask[*shareSplit]) []error {
	member, _ := set.names()
	notes := make([]ShareNote, len(tasks))
	for i, t := range tasks {
		notes[i] = ShareNote{
			Split: t.split, Generation: t.under, Member: member, Failing: t.failing, Resolved: t.resolved,
		}
	}
	return set.cfg.Shares.Note(ctx, notes)
}

// storeAlive stores that this member was alive when its sessions ended.
func (set *shareSet) storeAlive(ctx context.Context, tasks []noteTask[*shareSplit]) []error {
	survivors := make([]ShareSurvivor, len(tasks))
	for i, t := range tasks {
		survivors[i] = ShareSurvivor{Split: t.split, Member: t.member, Turn: t.turn}
	}
	return set.cfg.Shares.Survive(ctx, survivors)
}

// storeFlights stores what is in flight of splits that are suspected.
func (set *shareSet) storeFlights(ctx context.Context, tasks []noteTask[*shareSplit]) []error {
	flights := make([]ShareSuspects, len(tasks))
	for i, t := range tasks {
		flights[i] = *t.flight
	}
	errs := set.cfg.Shares.Suspect(ctx, flights)
	for i, err := range errs {
		if err == nil {
			set.flightStored(flights[i])
		}
	}
	return errs
}
