package simulation

import (
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// Every schedule has one topic and one group.
const (
	topicName = "t"
	groupName = "g"
)

// oracle checks the invariants. Every change of the store happens under the oracle's lock, so the
// oracle sees changes in the order in which they happen.
type oracle struct {
	*history
	store  *splitstest.Store
	plan   plan
	counts *counts

	mu      sync.Mutex
	models  map[string]*splitModel // by the key of the split
	records map[string]*record     // by ID
	// graceUntil is the time until which the store itself may have broken leases that members still
	// trust.
	graceUntil time.Time
	// clockWentBack reports that the clock of the store was set back: epochs and offsets derived
	// from the clock can repeat or decrease.
	clockWentBack bool
	// damaged reports that the store has removed entries or was rolled back.
	damaged bool
	// lastBeat is when the last heartbeat was applied; zero if the store lost data or its clock was
	// set since then.
	lastBeat time.Time
	// creation describes how the group was created; nil before that.
	creation *groupCreation
	// joined holds the owners that ever received a reply to a heartbeat.
	joined map[string]bool
	// ended holds the processes that ended; lastKill is the time of the latest kill.
	ended    map[string]processEnd
	lastKill time.Time
	// losses has one element per producer.
	losses []*losses
	// appends counts the appended records.
	appends int
	// done counts the records that pipelines have processed or that have letters, each once.
	done int
	// book is about the batches in the pipelines, and the entries that failed.
	book    *letterBook
	killers killers
}

// splitModel is the oracle's model of one split.
type splitModel struct {
	split       splits.Split
	entries     []*record // the content of the stream, in order
	ackedPrefix int       // entries[:ackedPrefix] are acknowledged
	// owner and epoch belong to the last granted claim; owner is empty after a release.
	owner     string
	lastOwner string // like owner, but kept after a release
	epoch     uint64
	// superseded holds earlier incarnations of static members, and the time until which they may
	// trust leases that a later incarnation took over.
	superseded map[string]time.Time
	claimed    bool // a claim was granted since the lease was last lost, if ever
	// resumed: the owner has received an answer, or an error, to its first request for the state of
	// the stream. knows: it was an answer, so the owner believes what the claim returned of entries
	// behind the position.
	resumed, knows bool
	// leaseRestored: a rollback restored a lease that another lease had followed. The restored
	// owner can still have commits in flight.
	leaseRestored bool
	// epochs holds the owners of all epochs ever granted, including epochs that a rollback removed.
	epochs         map[uint64]string
	highest        uint64          // the highest epoch ever granted
	newestReadable bool            // the newest entry is newer than the last damage, at an offset that was unread
	rewindSeen     bool            // the owner has seen that the stream ends before received
	committed      splits.Position // as stored
	finished       []splits.Range  // as stored with it
	// received is how far the owner has read; requested also includes replies that are still in
	// flight. A stream that lost entries, on a server whose clock went back too, can assign lower
	// offsets to new entries. An owner that did not see the stream in between can't distinguish
	// them from entries that it has read.
	received, requested splits.Offset
	highestDelivered    map[string]int // by key, the highest number ever handed out
	highestAppended     map[string]int // by key, the highest number ever appended
	// leaseDelivered is the highest number of each key that was handed out under the present lease,
	// and inLease the records that were.
	leaseDelivered map[string]int
	inLease        map[*record]bool
	// failing is what the last claim returned of entries that failed. rejected holds the keys of
	// which entries were rejected since.
	failing  map[splits.Offset]splits.Attempted
	rejected map[string]bool
	lettered []*record
	// unnoted holds the entries of which the record of failures was removed, and under which epoch;
	// lateNotes those of which a late request stored it again.
	unnoted   map[splits.Offset]uint64
	lateNotes map[splits.Offset]bool
	poison    poisonModel
	// sought: an operator moved the group. Until soughtUntil, the owner before may not know of it.
	sought      bool
	soughtUntil time.Time
}

// record is one record of a producer. number counts the records of its key in its partition.
type record struct {
	id, key, split string
	producer       string
	number         int
	offset         splits.Offset
	// appended: the stream once held the record. present: the stream holds it now.
	appended, present bool
	// acked: a pipeline has processed the record, or the group started behind it. handed: it was
	// handed out.
	acked, handed bool
	processed     bool   // a pipeline has processed it, or it was given up, at any time
	ackedBy       string // the owner whose pipeline processed it last
	failures      int    // how many more batches with this record fail
	unfit         bool   // all batches with this record fail
	killer        bool   // it kills the process that works on it
	extra         bool   // it was written after the last fault
	// lettered: its letter was stored. letterNoted: that was noted, or the group was moved behind
	// it.
	lettered, letterNoted bool
	// appendOrder is the position of the record among all appended records. written: the producer
	// received this outcome. takenBack: the store lost the record. unnoticeable: the producer can't
	// notice the loss, because the store had no number of the producer afterwards. losses counts
	// how often the record was lost in all, since a late request can write it again.
	appendOrder                      int
	written, takenBack, unnoticeable bool
	losses                           int64
	// reportedNotWritten: the producer got the outcome that the record is not written and never
	// will be.
	reportedNotWritten bool
	// outdated: a request wrote the record that was sent before the store lost the number of the
	// producer.
	outdated bool
	// hidden: the record is at an offset that had been read before. mustRead: the owner has seen
	// that the stream went back, so it has to find the record.
	hidden, mustRead bool
	// pending: a foreign group had delivered the record, and it was not acknowledged there.
	// finished: it was acknowledged there before the adoption. taken: a reader of the foreign group
	// took it afterwards, so it can come again.
	pending, finished, taken bool
	// stray: no order is required of the record. The producer gave it up and the store lost the
	// number that would have rejected it; or it had been deleted, and a rollback restored it.
	stray bool
}

func newOracle(h *history, store *splitstest.Store, p plan, t *counts) *oracle {
	return &oracle{
		history: h, store: store, plan: p, counts: t,
		models: map[string]*splitModel{}, records: map[string]*record{},
		ended: map[string]processEnd{}, joined: map[string]bool{}, book: newLetterBook(p),
		killers: killers{left: p.killers},
	}
}

// model returns the model of the split. The caller holds the lock.
func (o *oracle) model(s splits.Split) *splitModel {
	m := o.models[s.Key]
	if m == nil {
		m = &splitModel{
			split:            s,
			superseded:       map[string]time.Time{},
			epochs:           map[uint64]string{},
			highestDelivered: map[string]int{},
			highestAppended:  map[string]int{},
			leaseDelivered:   map[string]int{},
			inLease:          map[*record]bool{},
			failing:          map[splits.Offset]splits.Attempted{},
			rejected:         map[string]bool{},
			unnoted:          map[splits.Offset]uint64{},
			lateNotes:        map[splits.Offset]bool{},
		}
		o.models[s.Key] = m
	}
	return m
}

// checkAppend checks records that were appended. outdated: the request was sent before the store
// lost the number of the producer, so it can be applied although a later epoch had fenced it, and
// that epoch's request can be applied, too. The caller holds the lock.
func (o *oracle) checkAppend(s splits.Split, ids []string, offsets []splits.Offset, outdated bool) {
	m := o.model(s)
	for i, id := range ids {
		r := o.records[id]
		r.outdated = r.outdated || outdated
		switch {
		case r.present && !r.outdated:
			o.violated(s.Key, "record %s is in the stream twice", id)
		case r.reportedNotWritten && !r.outdated:
			o.violated(s.Key, "record %s was written after it had been reported as not written", id)
		case r.split != s.Key:
			o.violated(s.Key, "record %s of %s was written to another partition", id, r.split)
		}
		for _, before := range m.entries[max(0, len(m.entries)-200):] {
			if before.key == r.key && before.number >= r.number && !o.damaged {
				o.violated(s.Key, "record %s was written after %s", id, before.id)
			}
		}
		r.stray = o.damaged && m.highestAppended[r.key] >= r.number
		m.highestAppended[r.key] = max(m.highestAppended[r.key], r.number)
		o.appends++
		r.offset, r.appended, r.present, r.appendOrder = offsets[i], true, true, o.appends
		r.takenBack, r.unnoticeable = false, false
		if o.damaged && (r.offset.Compare(m.requested) <= 0 || r.offset.Compare(m.committed.Offset) <= 0) {
			o.counts.count("(record hidden by a lost stream)")
			m.hide(r)
		}
		m.entries = append(m.entries, r)
		m.newestReadable = !r.hidden
	}
}

// resync updates the model of a split to what the store has after a fault: lost entries are no
// longer required. The caller holds the lock.
func (o *oracle) resync(s splits.Split) {
	m := o.model(s)
	held := map[*record]bool{}
	for _, r := range m.entries {
		r.present, held[r] = false, true
	}
	m.entries = m.entries[:0]
	m.ackedPrefix, m.newestReadable = 0, false
	clear(m.highestDelivered) // what was cut off can come back
	for _, e := range o.store.Entries(s) {
		r := o.records[e.Fields[1]]
		// A deleted record is back. An owner that read in between has passed its offset.
		if !held[r] {
			r.stray = true
			if e.Offset.Compare(m.requested) <= 0 {
				m.hide(r)
			}
		}
		r.present, r.offset = true, e.Offset
		m.entries = append(m.entries, r)
	}
	state, ok := o.store.Lease(groupName, s)
	m.committed, m.finished = state.Position, state.Finished
	m.leaseRestored = m.leaseRestored || m.epoch != state.Epoch
	m.owner, m.epoch, m.claimed = state.Owner, state.Epoch, ok
	o.forgetDeaths(m)
	o.hideRestored(m)
}

// hideRestored notes that a rollback has taken back that an operator moved the group: what was to
// be read again since may count as processed now, in the store or for the owner, which has its lease
// again. The caller holds the lock.
func (o *oracle) hideRestored(m *splitModel) {
	if !m.sought {
		return
	}
	for _, r := range m.entries {
		if !r.acked && (r.processed || !m.committed.Offset.Before(r.offset) || m.isFinished(r.offset)) {
			m.hide(r)
		}
	}
	for _, a := range o.store.Failing(groupName, m.split) {
		if r := m.at(a.Offset); r != nil && a.Lettered && !r.acked {
			m.hide(r)
		}
	}
}

// hide notes that a record is at an offset that the owner has read or committed before. The caller
// holds the lock.
func (m *splitModel) hide(r *record) {
	r.acked, r.stray, r.hidden, r.mustRead = true, true, true, m.rewindSeen
}

// startGrace notes that the store itself may have broken leases: what members trust means nothing
// for one session. The caller holds the lock.
func (o *oracle) startGrace() { o.graceUntil = time.Now().Add(o.plan.ttl) }
