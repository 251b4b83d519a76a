package simulation

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// shareOracle checks the invariants of a share group. Every change of the store happens under its
// lock.
type shareOracle struct {
	*history
	store  *splitstest.Store
	plan   plan
	counts *counts

	mu       sync.Mutex
	records  map[string]*shareRecord // by ID
	at       map[string]map[splits.Offset]*shareRecord
	sessions map[string]*shareSession // by the name at which entries are pending
	// graceUntil is the time until which the store itself may have ended sessions that members
	// still trust; evictedUntil is the same for members that were evicted.
	graceUntil, evictedUntil time.Time
	// sought is when the group was last moved in a split, by its key. A read that was in flight
	// then delivers entries under the earlier generation, and they are delivered again.
	sought map[string]time.Time
	// damaged reports that the store has lost entries or was rolled back.
	damaged bool
	// book is about the batches in the pipelines, and the entries that failed.
	book      *letterBook
	processes map[string]*shareProcess // by ID
	killers   killers
	poison    sharePoisonModel
}

// shareRecord is one record that was appended.
type shareRecord struct {
	id     string
	split  splits.Split
	offset splits.Offset
	// present: the stream holds it. skipped: a seek passed over it.
	present, skipped bool
	// removed: it was not in the stream for a while, and may have been reported as lost then.
	removed bool
	// processed: a pipeline has processed it since it was to be delivered last, ever: at any time.
	// by: the processes that have, since then.
	processed, ever bool
	// unfit: all batches with it fail. lettered: its letter was stored, after the group was last
	// moved. letterNoted: that was noted.
	unfit, lettered, letterNoted bool
	killer                       bool // it kills the process that works on it
	// deaths holds the members that count as ones that it has killed; flown those that had it in
	// flight alone at any time.
	deaths, flown map[string]bool
	done          bool // a pipeline has processed it, ever
	by            map[*shareProcess]bool
}

// shareSession is one name of a member.
type shareSession struct {
	process *shareProcess
	until   time.Time // when the session ends, by the last beat that was applied
	ended   bool      // the member left, was killed, was superseded, or knows that the session has ended
}

func newShareOracle(h *history, store *splitstest.Store, p plan, t *counts) *shareOracle {
	return &shareOracle{
		history: h, store: store, plan: p, counts: t, records: map[string]*shareRecord{},
		at: map[string]map[splits.Offset]*shareRecord{}, sessions: map[string]*shareSession{},
		sought: map[string]time.Time{}, book: newLetterBook(p), processes: map[string]*shareProcess{},
		killers: killers{left: p.killers}, poison: newSharePoisonModel(),
	}
}

// append adds a record to its split.
func (o *shareOracle) append(r shareRecord) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.present, r.by, r.deaths, r.flown = true, map[*shareProcess]bool{}, map[string]bool{}, map[string]bool{}
	r.offset = o.store.Append(r.split, "id", r.id)
	o.records[r.id] = &r
	if o.at[r.split.Key] == nil {
		o.at[r.split.Key] = map[splits.Offset]*shareRecord{}
	}
	o.at[r.split.Key][r.offset] = &r
}

// resync updates the records after a fault that removed entries or brought them back. The caller
// holds the lock.
func (o *shareOracle) resync() {
	o.damaged = true
	o.graceUntil = time.Now().Add(o.plan.ttl)
	for _, r := range o.records {
		r.present = false
		clear(r.by)
	}
	for _, split := range o.store.Splits(topicName) {
		o.forgetDeaths(split.Key)
		for _, e := range o.store.Entries(split) {
			o.records[e.Fields[1]].present = true
		}
	}
	for _, r := range o.records {
		r.removed = r.removed || !r.present
		r.processed = r.ever // the store may have forgotten that the group was moved
	}
}

// noteHandOut records that a process hands out a batch, and checks that it may.
func (o *shareOracle) noteHandOut(p *shareProcess, b *splits.Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if why := o.book.handedOut(p.id, b); why != "" {
		o.violated(b.Split.Key, "%s: %s", p.name, why)
	}
}

// checkBatch checks a batch that a process hands out.
func (o *shareOracle) checkBatch(p *shareProcess, b *splits.Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	pending := o.store.Share(groupName, b.Split).Pending
	for _, e := range b.Entries {
		r := o.records[e.Fields[1]]
		o.note(p.name, b.Split.Key, "hands out %s (delivery %d)", r.id, b.Deliveries)
		if r.by[p] && !o.damaged {
			o.violated(b.Split.Key, "%s hands out %s again, which it has processed", p.name, r.id)
		}
		o.checkAttempts(p, r, b)
		at, ok := pending[e.Offset]
		// After damage, a member that does not reach the store can't know that its entries are
		// another member's now.
		if s := o.sessions[at]; ok && s != nil && s.process != p && o.alive(s) && !o.damaged && !o.grace() &&
			!o.justSought(b.Split) && !p.stale() {
			o.violated(b.Split.Key, "%s hands out %s, which is pending at %s", p.name, r.id, at)
		}
	}
}

// everSought reports whether the group was ever moved in a split. The caller holds the lock.
func (o *shareOracle) everSought(split splits.Split) bool { return !o.sought[split.Key].IsZero() }

// justSought reports whether the group was moved a short time ago: members may still have entries
// of the earlier generation. The caller holds the lock.
func (o *shareOracle) justSought(split splits.Split) bool {
	at, ok := o.sought[split.Key]
	return ok && time.Since(at) < 3*o.plan.ttl
}

// noteOutcome notes that the pipeline of a process has processed a batch, or rejects it.
func (o *shareOracle) noteOutcome(p *shareProcess, b *splits.Batch, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.book.returned(b, done)
	if !done {
		o.note(p.name, b.Split.Key, "rejects %d from %s", len(b.Entries), b.Entries[0].Fields[1])
		return
	}
	for _, e := range b.Entries {
		r := o.records[e.Fields[1]]
		o.note(p.name, b.Split.Key, "processed %s", r.id)
		r.processed, r.ever, r.done = true, true, true
		if !o.justSought(b.Split) {
			r.by[p] = true
		}
	}
}

// auditedShares observes the requests of one process for entries.
type auditedShares struct {
	splits.Shares
	oracle  *shareOracle
	process *shareProcess
}

func (s *auditedShares) Open(ctx context.Context, opens []splits.ShareOpen) []splits.ShareOpened {
	s.oracle.mu.Lock()
	defer s.oracle.mu.Unlock()
	return s.Shares.Open(ctx, opens)
}

// Acknowledge checks that every entry that is not pending any more was processed.
func (s *auditedShares) Acknowledge(ctx context.Context, acks []splits.ShareAck) []splits.ShareAcked {
	o := s.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	before := make([]map[splits.Offset]string, len(acks))
	for i, ack := range acks {
		before[i] = o.store.Share(groupName, ack.Split).Pending
	}
	answers := s.Shares.Acknowledge(ctx, acks)
	for i, ack := range acks {
		after := o.store.Share(groupName, ack.Split).Pending
		for _, offset := range ack.Offsets {
			_, was := before[i][offset]
			_, is := after[offset]
			r := o.at[ack.Split.Key][offset]
			if was && !is && r.present && !r.processed && !r.removed {
				o.violated(ack.Split.Key, "%s was acknowledged, but no pipeline has processed it", r.id)
			}
			if was && !is {
				o.checkNoted(r)
				clear(r.deaths)
			}
		}
		o.checkDeleted(ack, answers[i])
	}
	return answers
}

// Take checks that nothing is taken from a member that is alive.
func (s *auditedShares) Take(ctx context.Context, t splits.ShareTake) (splits.ShareTaken, error) {
	o := s.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	taken, err := s.Shares.Take(ctx, t)
	if err == nil {
		o.noteTaken(t, taken)
	}
	from := o.sessions[t.From]
	if err != nil || from == nil || len(taken.Offsets) == 0 {
		return taken, err
	}
	o.note(t.To, t.Split.Key, "takes %d entries from %s", len(taken.Offsets), t.From)
	o.counts.count("(takeover)")
	if from.process != s.process && o.alive(from) && !o.grace() {
		o.violated(t.Split.Key, "%s takes entries from %s, which is alive", t.To, t.From)
	}
	return taken, err
}

// unfinished returns what is missing for a schedule to be over, "" if nothing is, and the number of
// records that are finished.
func (o *shareOracle) unfinished() (missing, split string, done int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if missing, split = o.undead(); missing != "" {
		return missing, split, 0
	}
	states := map[string]splitstest.ShareState{}
	for _, s := range o.store.Splits(topicName) {
		states[s.Key] = o.store.Share(groupName, s)
	}
	ids := make([]string, 0, len(o.records))
	for id := range o.records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		r := o.records[id]
		state := states[r.split.Key]
		at, pending := state.Pending[r.offset]
		switch {
		case !r.present || r.skipped:
			done += progress(id)
		case o.waitsForCure(r):
		case pending:
			missing, split = id+" of "+r.split.Key+" is pending at "+at, r.split.Key
		case !state.Exists || state.Last.Before(r.offset):
			missing, split = id+" of "+r.split.Key+" was never delivered", r.split.Key
		case !r.processed && !r.removed:
			o.violated(r.split.Key, "%s is not pending any more, but no pipeline has processed it", id)
		default:
			done += progress(id)
		}
	}
	return missing, split, done
}
