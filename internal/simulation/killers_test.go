package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Records that kill the process that works on them, and the supervisor that starts it again.

// killerEvery is how many records there are to one that kills, until a schedule has enough of them.
const killerEvery = 15

// addKillers draws how many records kill. The faults go on for longer, and are rarer: it takes
// several deaths to find such a record.
func (p *plan) addKillers(r *rand.Rand) {
	if r.IntN(6) > 0 {
		return
	}
	p.killers = 1 + r.IntN(3)
	p.lasts += time.Duration(r.IntN(6)) * p.ttl
	p.pace *= 2
	p.members, p.partitions = min(p.members, 12), min(p.partitions, 40)
}

// untilFound is how long it takes at most until all records that kill are found.
func (p plan) untilFound() time.Duration {
	const deaths = 10 // of one of them, and of others in between
	return time.Duration(p.killers*deaths) * (2*p.ttl + 2*longestBackoff)
}

// untilHandedOut is how long a record that kills is not handed out at most, if there are no letters.
const untilHandedOut = 20 * time.Minute

// pass lets time pass. Meanwhile restartDead is called often, if records kill.
func (p plan) pass(d time.Duration, restartDead func()) {
	if p.killers == 0 {
		time.Sleep(d)
		return
	}
	for until := time.Now().Add(d); time.Now().Before(until); restartDead() {
		time.Sleep(min(time.Until(until), p.ttl/10))
	}
}

// killers are the records that kill. The lock of the oracle guards it.
type killers struct {
	left  int  // how many more records will kill
	cured bool // they don't kill any more
}

// draw reports whether the next record kills.
func (k *killers) draw(r *rand.Rand) bool {
	if k.left == 0 || r.IntN(killerEvery) > 0 {
		return false
	}
	k.left--
	return true
}

// cure ends the effect of all records that kill.
func (o *oracle) cure() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.plan.killers > 0 {
		o.note("nemesis", "", "cures the records that kill")
	}
	o.killers.cured = true
}

// killerIn returns the first record of a batch that kills; nil if there is none.
func (o *oracle) killerIn(b *splits.Batch) *record {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range b.Entries {
		if r := o.records[e.Fields[1]]; r.killer && !o.killers.cured {
			return r
		}
	}
	return nil
}

// dies ends the process if a record of the batch kills it.
func (p *process) dies(b *splits.Batch) bool {
	r := p.oracle.killerIn(b)
	if r == nil {
		return false
	}
	p.oracle.note(p.name, b.Split.Key, "is killed by %s", r.id)
	p.counts.count("message that crashes")
	p.kill()
	return true
}

// restartDead starts the members again whose processes were killed by a record.
func (sc *schedule) restartDead() {
	for _, p := range slices.Clone(sc.processes) {
		if !p.isGone() {
			continue
		}
		sc.processes = slices.DeleteFunc(sc.processes, func(other *process) bool { return other == p })
		sc.finished = append(sc.finished, p)
		sc.exiting.Go(func() { _ = p.Close(p.ctx) })
		if sc.plan.static {
			sc.start(p.member)
		} else {
			sc.join()
		}
	}
}

// behindKillers returns a function that is called for the records of a split, in their order. It
// reports whether a record may have to wait: it kills, or it comes after one that kills and was not
// processed.
func (o *oracle) behindKillers() func(*record) bool {
	after := map[string]bool{}
	return func(r *record) bool {
		if o.plan.deadLetters || o.killers.cured {
			return false
		}
		order := map[splits.Ordering]string{splits.ByKey: r.key, splits.Unordered: r.id}[o.plan.ordering]
		waits := r.killer && (!r.acked || r.hidden) || after[order]
		after[order] = waits
		return waits
	}
}
