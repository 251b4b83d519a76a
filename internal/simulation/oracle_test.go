package simulation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// The one topic and the one group of a schedule.
const (
	topicName = "t"
	groupName = "g"
)

// oracle knows everything and judges it. Whatever changes the store goes through it, under its lock, so that it sees changes in the order in
// which they happen.
type oracle struct {
	*history
	store *splitstest.Store
	plan  plan
	tally *tally

	mu      sync.Mutex
	parts   map[string]*part   // by the key of the split
	records map[string]*record // by ID
	// excused is until when the store itself may have broken leases that members still trust.
	excused time.Time
	// clockWentBack says that the clock of the store was set back once: what relies on it need not grow any more.
	clockWentBack bool
	// damaged says that the store has removed entries, or gone back.
	damaged bool
	// ended are the processes that have, lastKill when the latest was killed.
	ended    map[string]end
	lastKill time.Time
	// done counts the records that pipelines were done with, each once.
	done int
}

// part is what the oracle knows of one split.
type part struct {
	split   splits.Split
	entries []*record // what the stream holds, in order
	safe    int       // entries[:safe] are acknowledged
	// owner and epoch are those of the last claim that was granted; owner is empty after a release.
	owner     string
	last      string // owner, and still after a release
	epoch     uint64
	claimed   bool            // there was one since the lease was lost, if it ever was
	highest   granted         // the highest epoch that there ever was, also in what a rollback took back
	fresh     bool            // the newest entry came after the last damage
	committed splits.Position // as stored
	// furthest is the highest offset that was ever read. A stream that lost entries, on a server whose clock went back too, may give new
	// ones offsets below that: nobody can tell them from those that were read before.
	furthest splits.Offset
	first    map[string]int // by key, the highest number that was ever handed out
	latest   map[string]int // by key, the highest number that was ever appended
}

// granted is an epoch that an owner got.
type granted struct {
	epoch uint64
	owner string
}

// record is one record of a producer: the number-th of its key in that partition.
type record struct {
	id, key, split string
	number         int
	offset         splits.Offset
	// appended says that the stream held it once, present that it does now.
	appended, present bool
	// acked says that a pipeline was done with it, or that the group began behind it; handed that it was handed out.
	acked, handed bool
	ackedBy       string // whose pipeline was done with it last
	// refused says that the producer was told that it is not written and won't be.
	refused bool
	// stray says that it has no place in the order: it was given up long ago, and the store has lost what would have kept it out; or it had been
	// deleted, and a rollback brought it back.
	stray bool
}

func newOracle(h *history, store *splitstest.Store, p plan, t *tally) *oracle {
	return &oracle{history: h, store: store, plan: p, tally: t, parts: map[string]*part{}, records: map[string]*record{}, ended: map[string]end{}}
}

// part returns what is known of the split. The lock is held.
func (o *oracle) part(s splits.Split) *part {
	p := o.parts[s.Key]
	if p == nil {
		p = &part{split: s, first: map[string]int{}, latest: map[string]int{}}
		o.parts[s.Key] = p
	}
	return p
}

// appended takes note of records that a stream has now. The lock is held.
func (o *oracle) appended(s splits.Split, ids []string, offsets []splits.Offset) {
	p := o.part(s)
	for i, id := range ids {
		r := o.records[id]
		switch {
		case r.present:
			o.violated(s.Key, "record %s is in the stream twice", id)
		case r.refused:
			o.violated(s.Key, "record %s was written after it had been reported as not written", id)
		case r.split != s.Key:
			o.violated(s.Key, "record %s of %s was written to another partition", id, r.split)
		}
		for _, before := range p.entries[max(0, len(p.entries)-200):] {
			if before.key == r.key && before.number >= r.number && !o.damaged {
				o.violated(s.Key, "record %s was written behind %s", id, before.id)
			}
		}
		r.stray = o.damaged && p.latest[r.key] >= r.number
		p.latest[r.key] = max(p.latest[r.key], r.number)
		r.offset, r.appended, r.present = offsets[i], true, true
		if o.damaged && r.offset.Compare(p.furthest) <= 0 {
			o.tally.hit("(record hidden by a lost stream)")
			r.acked, r.stray = true, true
		}
		p.entries = append(p.entries, r)
		p.fresh = true
	}
}

// claimed judges a claim that was granted. The lock is held.
func (o *oracle) claimed(owner string, c splits.Claim, g splits.Granted) {
	p := o.part(c.Split)
	o.note(owner, c.Split.Key, "claimed: epoch %d at %v", g.Epoch, g.Position.Offset)
	if p.claimed && g.Epoch <= p.epoch {
		o.violated(c.Split.Key, "epoch %d was granted to %s after epoch %d", g.Epoch, owner, p.epoch)
	}
	if !p.claimed && c.Start.IsLatest() {
		for _, r := range p.entries {
			r.acked = r.acked || r.offset.Compare(g.Position.Offset) <= 0
		}
	}
	// After a rollback only the clock makes it higher, and two claims in one millisecond are told apart by their owners.
	if h := p.highest; !o.clockWentBack && (g.Epoch < h.epoch || g.Epoch == h.epoch && owner == h.owner) {
		o.violated(c.Split.Key, "epoch %d was granted to %s, but there was epoch %d of %s before a rollback", g.Epoch, owner, h.epoch, h.owner)
	}
	if g.Epoch > p.highest.epoch {
		p.highest = granted{g.Epoch, owner}
	}
	o.inTime(p)
	p.owner, p.last, p.epoch, p.claimed = owner, owner, g.Epoch, true
	o.stored(p, false)
}

// committed judges a commit, a renewal (at is nil) or a reset that the store accepted. The lock is held.
func (o *oracle) accepted(what string, l splits.Lease, at *splits.Position) {
	p := o.part(l.Split)
	if at != nil {
		o.note(l.Member, l.Split.Key, "%s: epoch %d at %v", what, l.Epoch, at.Offset)
	}
	if p.owner != l.Member || p.epoch != l.Epoch {
		o.violated(l.Split.Key, "%s of %s in epoch %d was accepted, but %s holds the split in epoch %d", what, l.Member, l.Epoch, p.owner, p.epoch)
	}
	o.stored(p, what == "reset")
}

// stored judges the position that the store has. The lock is held.
func (o *oracle) stored(p *part, down bool) {
	state, ok := o.store.Lease(groupName, p.split)
	if !ok {
		return
	}
	if !down && state.Position.Offset.Before(p.committed.Offset) {
		o.violated(p.split.Key, "the committed position went back from %v to %v", p.committed.Offset, state.Position.Offset)
	}
	p.committed = state.Position
	for p.safe < len(p.entries) && p.entries[p.safe].acked {
		p.safe++
	}
	if p.safe < len(p.entries) && p.entries[p.safe].offset.Compare(p.committed.Offset) <= 0 {
		r := p.entries[p.safe]
		o.violated(p.split.Key, "%v is committed, but %s at %v was never acknowledged", p.committed.Offset, r.id, r.offset)
	}
}

// released takes note of a lease that was given back. The lock is held.
func (o *oracle) released(l splits.Lease) {
	p := o.part(l.Split)
	o.note(l.Member, l.Split.Key, "released: epoch %d", l.Epoch)
	if p.owner != l.Member || p.epoch != l.Epoch {
		o.violated(l.Split.Key, "a release of %s in epoch %d was accepted, but %s holds the split in epoch %d", l.Member, l.Epoch, p.owner, p.epoch)
	}
	p.owner = ""
}

// proposed judges a plan that was stored. The lock is held.
func (o *oracle) proposed(plan splits.Plan) {
	members := o.store.Members(topicName, groupName)
	seen := map[int]bool{}
	least, most := 1<<30, 0
	for member, partitions := range plan.Assignments {
		if !slices.Contains(members, member) {
			o.violated("", "the plan %d gives partitions to %s, who is no member", plan.Version, member)
		}
		for _, n := range partitions {
			if seen[n] {
				o.violated("", "the plan %d gives partition %d to two members", plan.Version, n)
			}
			seen[n] = true
		}
	}
	for _, member := range members {
		n := len(plan.Assignments[member])
		least, most = min(least, n), max(most, n)
	}
	for n := range seen {
		if n < 0 || n >= len(seen) {
			o.violated("", "the plan %d leaves partitions out: it has %d of them, and %d among these", plan.Version, len(seen), n)
		}
	}
	if most-least > 1 {
		o.violated("", "the plan %d gives one member %d partitions and another %d: %v", plan.Version, most, least, plan.Assignments)
	}
}

// handedOut judges a batch. One that is stale was on its way when its process was paused.
func (o *oracle) handedOut(owner string, b *splits.Batch, stale bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.part(b.Split)
	ids := make([]string, len(b.Entries))
	inBatch := map[*record]bool{}
	for i, e := range b.Entries {
		ids[i] = e.Fields[1]
	}
	o.note(owner, b.Split.Key, "handed out (%d): %v", b.Deliveries, ids)
	// A later incarnation of a static member takes over at once; the earlier one hears of it with its next commit or beat.
	superseded := splits.Supersedes(p.owner, owner)
	if p.owner != owner && !stale && !superseded && time.Now().After(o.excused) {
		o.violated(b.Split.Key, "%s hands out %v, but %q holds the split", owner, ids, p.owner)
	}
	for _, id := range ids {
		r := o.records[id]
		inBatch[r] = true
		o.onlyOnce(r)
		if p.owner == owner && !stale && r.present && r.offset.Compare(p.committed.Offset) <= 0 && time.Now().After(o.excused) {
			o.violated(b.Split.Key, "%s is handed out at %v, but %v is committed", id, r.offset, p.committed.Offset)
		}
		if !o.plan.unordered && !r.stray && r.present {
			o.inOrder(p, r, inBatch)
		}
		if !r.handed && !r.acked && p.first[r.key] > r.number && !o.plan.unordered && !r.stray && r.present {
			o.violated(b.Split.Key, "%s is handed out for the first time after %s/%d", id, r.key, p.first[r.key])
		}
		r.handed = true
		p.first[r.key] = max(p.first[r.key], r.number)
	}
}

// inOrder makes sure that nothing of the key is open before the record but what is in the same batch. The lock is held.
func (o *oracle) inOrder(p *part, r *record, inBatch map[*record]bool) {
	for p.safe < len(p.entries) && p.entries[p.safe].acked {
		p.safe++
	}
	for _, before := range p.entries[p.safe:] {
		switch {
		case !before.offset.Before(r.offset):
			return
		case before.key == r.key && !before.acked && !inBatch[before] && !before.stray:
			o.violated(p.split.Key, "%s is handed out while %s, which is before it, is open", r.id, before.id)
			return
		}
	}
}

// fetched takes note of what was read.
func (o *oracle) fetched(s splits.Split, last splits.Offset) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.part(s); p.furthest.Before(last) {
		p.furthest = last
	}
}

// resolved takes note of what a pipeline is done with: all of the batch but those that failed and, in an ordered group, those of the same keys
// behind them.
func (o *oracle) resolved(owner string, b *splits.Batch, failed []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := map[string]bool{}
	done := 0
	for i, e := range b.Entries {
		r := o.records[e.Fields[1]]
		bad := slices.Contains(failed, i)
		if !o.plan.unordered {
			bad = bad || open[r.key]
			open[r.key] = bad
		}
		if bad {
			continue
		}
		done++
		r.ackedBy = owner
		if !r.acked {
			r.acked = true
			o.done++
		}
	}
	o.note(owner, b.Split.Key, "resolved %d of %d from %s", done, len(b.Entries), b.Entries[0].Fields[1])
}

// resync looks at what a strike has left of a split: what is not there any more can't be demanded of anybody. The lock is held.
func (o *oracle) resync(s splits.Split) {
	p := o.part(s)
	held := map[*record]bool{}
	for _, r := range p.entries {
		r.present, held[r] = false, true
	}
	p.entries = p.entries[:0]
	p.safe, p.fresh = 0, false
	clear(p.first) // what was cut off may come back
	for _, e := range o.store.Entries(s) {
		r := o.records[e.Fields[1]]
		// One that was deleted and is back: whoever read in between has passed over its place.
		r.stray = r.stray || !held[r]
		r.present, r.offset = true, e.Offset
		p.entries = append(p.entries, r)
	}
	state, ok := o.store.Lease(groupName, s)
	p.committed = state.Position
	p.owner, p.epoch, p.claimed = state.Owner, state.Epoch, ok
}

// shaken says that leases may have been broken by the store itself: what members trust is worth nothing for a ttl. The lock is held.
func (o *oracle) shaken() { o.excused = time.Now().Add(o.plan.ttl) }

// misowned returns what is wrong with who owns what, and the split that it is about if it is about one; "" if nothing is. live are the owners of
// leases that are left.
func (o *oracle) misowned(live map[string]bool) (what, split string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	owned := map[string]int{}
	for _, s := range o.store.Splits(topicName) {
		state, ok := o.store.Lease(groupName, s)
		switch {
		case !ok || state.Owner == "" || state.Remaining <= 0:
			return fmt.Sprintf("nobody owns %s", s.Key), s.Key
		case !live[state.Owner]:
			return fmt.Sprintf("%s is owned by %s, who is gone", s.Key, state.Owner), s.Key
		}
		owned[state.Owner]++
	}
	least, most := 1<<30, 0
	for owner := range live {
		least, most = min(least, owned[owner]), max(most, owned[owner])
	}
	if most-least > 1 {
		return fmt.Sprintf("one member owns %d splits, another %d", most, least), ""
	}
	return "", ""
}

// backlog returns what is not acknowledged or not committed yet, and the split that it is about; "" if everything is. done is how many records
// pipelines were done with so far.
func (o *oracle) backlog() (what, split string, done int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.store.Splits(topicName) {
		p := o.part(s)
		for _, r := range p.entries {
			if !r.acked {
				return fmt.Sprintf("%s of %s was never acknowledged", r.id, s.Key), s.Key, o.done
			}
		}
		state, _ := o.store.Lease(groupName, s)
		if n := len(p.entries); (p.fresh || !o.damaged) && n > 0 && state.Position.Offset.Before(p.entries[n-1].offset) {
			return fmt.Sprintf("%s is committed up to %v only, of %v", s.Key, state.Position.Offset, p.entries[n-1].offset), s.Key, o.done
		}
	}
	return "", "", o.done
}
