package simulation

import (
	"math/rand/v2"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// Records that kill the process that works on them, in share groups.

// drawKiller reports whether the next record kills.
func (o *shareOracle) drawKiller(r *rand.Rand) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.killers.draw(r)
}

// cure ends the effect of all records that kill.
func (o *shareOracle) cure() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note("nemesis", "", "cures the records that kill")
	o.killers.cured = true
}

// killerIn returns the first record of a batch that kills; nil if there is none.
func (o *shareOracle) killerIn(b *splits.Batch) *shareRecord {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range b.Entries {
		if r := o.records[e.Fields[1]]; r.killer && !o.killers.cured {
			return r
		}
	}
	return nil
}

// waitsForCure reports whether a record can't be processed yet. The caller holds the lock.
func (o *shareOracle) waitsForCure(r *shareRecord) bool {
	return r.killer && !r.processed && !o.plan.deadLetters && !o.killers.cured
}

// dies ends the process if a record of the batch kills it.
func (p *shareProcess) dies(b *splits.Batch) bool {
	r := p.oracle.killerIn(b)
	if r == nil {
		return false
	}
	p.oracle.note(p.name, b.Split.Key, "is killed by %s", r.id)
	p.counts.count("share: message that crashes")
	p.kill()
	return true
}

// restartDead starts the members again whose processes were killed by a record.
func (sc *shareSchedule) restartDead() {
	for _, p := range slices.Clone(sc.processes) {
		if !p.isGone() {
			continue
		}
		sc.processes = slices.DeleteFunc(sc.processes, func(other *shareProcess) bool { return other == p })
		sc.finished = append(sc.finished, p)
		sc.exiting.Go(func() { _ = p.Close(p.ctx) })
		if sc.plan.static {
			sc.start(p.name)
		} else {
			sc.join()
		}
	}
}
