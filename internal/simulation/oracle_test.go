package simulation

import (
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

// oracle knows everything and judges it. Whatever changes the store goes through it, under its
// lock, so that it sees changes in the order in which they happen.
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
	// clockWentBack says that the clock of the store was set back once: what relies on it need not
	// grow any more.
	clockWentBack bool
	// damaged says that the store has removed entries, or gone back.
	damaged bool
	// lastBeat is when the last heartbeat was applied; zero if the store has lost something or its
	// clock was set since.
	lastBeat time.Time
	// founding is that of the group; nil before it.
	founding *founding
	// joined are those who were ever told that they are members.
	joined map[string]bool
	// ended are the processes that have, lastKill when the latest was killed.
	ended    map[string]end
	lastKill time.Time
	// losses are those of each producer.
	losses []*losses
	// turns counts the records that were appended.
	turns int
	// done counts the records that pipelines were done with, each once.
	done int
}

// part is what the oracle knows of one split.
type part struct {
	split   splits.Split
	entries []*record // what the stream holds, in order
	safe    int       // entries[:safe] are acknowledged
	// owner and epoch are those of the last claim that was granted; owner is empty after a release.
	owner string
	last  string // owner, and still after a release
	epoch uint64
	// superseded are earlier incarnations of static members, and until when they may trust leases
	// that a later one took from them.
	superseded map[string]time.Time
	claimed    bool // there was one since the lease was lost, if it ever was
	// a rollback brought back a lease that another one had followed: its holder may still have
	// commits on their way
	revived bool
	// the owners of all epochs that there ever were, also of those that a rollback took back
	epochs    map[uint64]string
	highest   uint64          // of those
	fresh     bool            // the newest entry came after the last damage, and where nobody had read
	exposed   bool            // the owner has seen that the stream ends before furthest
	committed splits.Position // as stored
	// furthest is how far the owner has read, reading how far with answers that are on their way. A
	// stream that lost entries, on a server whose clock went back too, may give new ones offsets
	// below that: who has not seen it meanwhile can't tell them from those that were read before.
	furthest, reading splits.Offset
	first             map[string]int // by key, the highest number that was ever handed out
	latest            map[string]int // by key, the highest number that was ever appended
}

// record is one record of a producer: the number-th of its key in that partition.
type record struct {
	id, key, split string
	producer       string
	number         int
	offset         splits.Offset
	// appended says that the stream held it once, present that it does now.
	appended, present bool
	// acked says that a pipeline was done with it, or that the group began behind it; handed that
	// it was handed out.
	acked, handed bool
	ackedBy       string // whose pipeline was done with it last
	failures      int    // how many more batches with it fail
	// turn is when it was appended, among all that were; written says that the producer was told
	// so, vanished that the store took it back, unnoticed that its producer need not notice that,
	// for the store knew nothing of the producer afterwards. A late request may write it anew;
	// losses is how often it was taken back in all.
	turn                         int
	written, vanished, unnoticed bool
	losses                       int64
	// refused says that the producer was told that it is not written and won't be.
	refused bool
	// outdated says that a request which was sent before the store lost what it knew of the
	// producer has written it.
	outdated bool
	// hidden says that it came at a place that had been read before, owed that the owner has seen
	// that the stream went back, and has to find it.
	hidden, owed bool
	// stray says that it has no place in the order: it was given up long ago, and the store has
	// lost what would have kept it out; or it had been deleted, and a rollback brought it back.
	stray bool
}

func newOracle(h *history, store *splitstest.Store, p plan, t *tally) *oracle {
	return &oracle{
		history: h, store: store, plan: p, tally: t,
		parts: map[string]*part{}, records: map[string]*record{}, ended: map[string]end{}, joined: map[string]bool{},
	}
}

// part returns what is known of the split. The lock is held.
func (o *oracle) part(s splits.Split) *part {
	p := o.parts[s.Key]
	if p == nil {
		p = &part{
			split:      s,
			superseded: map[string]time.Time{},
			epochs:     map[uint64]string{},
			first:      map[string]int{},
			latest:     map[string]int{},
		}
		o.parts[s.Key] = p
	}
	return p
}

// appended takes note of records that a stream has now. Outdated says that the request was sent
// before the store lost what it knew of the producer: it may be carried out though a later epoch
// had fenced it, and that epoch's request too. The lock is held.
func (o *oracle) appended(s splits.Split, ids []string, offsets []splits.Offset, outdated bool) {
	p := o.part(s)
	for i, id := range ids {
		r := o.records[id]
		r.outdated = r.outdated || outdated
		switch {
		case r.present && !r.outdated:
			o.violated(s.Key, "record %s is in the stream twice", id)
		case r.refused && !r.outdated:
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
		o.turns++
		r.offset, r.appended, r.present, r.turn = offsets[i], true, true, o.turns
		r.vanished, r.unnoticed = false, false
		if o.damaged && (r.offset.Compare(p.reading) <= 0 || r.offset.Compare(p.committed.Offset) <= 0) {
			o.tally.hit("(record hidden by a lost stream)")
			p.hide(r)
		}
		p.entries = append(p.entries, r)
		p.fresh = !r.hidden
	}
}

// resync looks at what a strike has left of a split: what is not there any more can't be demanded
// of anybody. The lock is held.
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
		if !held[r] {
			r.stray = true
			if e.Offset.Compare(p.reading) <= 0 {
				p.hide(r)
			}
		}
		r.present, r.offset = true, e.Offset
		p.entries = append(p.entries, r)
	}
	state, ok := o.store.Lease(groupName, s)
	p.committed = state.Position
	p.revived = p.revived || p.epoch != state.Epoch
	p.owner, p.epoch, p.claimed = state.Owner, state.Epoch, ok
}

// hide takes note that a record is where the owner has read before, or has committed. The lock is
// held.
func (p *part) hide(r *record) { r.acked, r.stray, r.hidden, r.owed = true, true, true, p.exposed }

// shaken says that leases may have been broken by the store itself: what members trust is worth
// nothing for a ttl. The lock is held.
func (o *oracle) shaken() { o.excused = time.Now().Add(o.plan.ttl) }
