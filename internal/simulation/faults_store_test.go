package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Faults of the store.

func (sc *schedule) injectStoreClock(r *rand.Rand) string {
	d := time.Duration(r.Int64N(int64(4*sc.plan.ttl))) - 2*sc.plan.ttl
	sc.oracle.mu.Lock()
	defer sc.oracle.mu.Unlock()
	sc.oracle.note("nemesis", "", "sets the clock of the store by %v", d)
	sc.store.StepClock(d)
	sc.oracle.lastBeat = time.Time{}
	if d > 0 {
		sc.oracle.book.clockAhead += d
		sc.oracle.startGrace()
		return "clock of the store forward"
	}
	sc.oracle.clockWentBack = true
	return "clock of the store back"
}

func (sc *schedule) injectGrow(r *rand.Rand) string {
	if sc.maxPartitions >= sc.plan.partitions+8 || sc.plan.adopts && sc.oracle.currentCreation() == nil {
		return "" // a partition that exists before the group needs a foreign group
	}
	sc.maxPartitions += 1 + r.IntN(3)
	sc.oracle.mu.Lock()
	defer sc.oracle.mu.Unlock()
	sc.oracle.note("nemesis", "", "adds partitions: %d", sc.maxPartitions)
	sc.store.SetPartitions(topicName, sc.maxPartitions)
	return "partitions grown"
}

// injectDamage calls do, which removes data from the store, and updates the oracle's model of the
// damaged splits (all splits if none is given). For one session, leases may be broken without a
// violation.
func (sc *schedule) injectDamage(what string, do func(), damaged ...splits.Split) {
	sc.oracle.mu.Lock()
	defer sc.oracle.mu.Unlock()
	sc.oracle.note("nemesis", "", "%s", what)
	do()
	sc.oracle.damaged, sc.oracle.lastBeat = true, time.Time{}
	sc.oracle.startGrace()
	if len(damaged) == 0 {
		for _, m := range sc.oracle.models {
			damaged = append(damaged, m.split)
		}
	}
	for _, s := range damaged {
		sc.oracle.resync(s)
	}
}

func (sc *schedule) randomSplit(r *rand.Rand) splits.Split {
	all := sc.store.Splits(topicName)
	return all[r.IntN(len(all))]
}

func (sc *schedule) injectRollback(r *rand.Rand) string {
	topic, partitions := r.IntN(2) == 0, r.IntN(3) > 0
	sc.rollBack(r, topic, partitions)
	switch {
	case topic && partitions:
		return "rollback of both shards"
	case partitions:
		return "rollback of partitions"
	}
	return "rollback of the topic"
}

// injectAdoptionRollback rolls back partitions while their foreign groups are adopted.
func (sc *schedule) injectAdoptionRollback(r *rand.Rand) string {
	if !sc.plan.adopts || sc.plan.failOnLoss {
		return ""
	}
	sc.rollBack(r, false, true)
	return "rollback during an adoption"
}

// rollBack restores the topic's own slot, or all partitions or one, as they are now, later.
func (sc *schedule) rollBack(r *rand.Rand, topic, partitions bool) {
	all := sc.store.Splits(topicName)
	sc.oracle.mu.Lock()
	snapshot, appends := sc.store.Snapshot(), sc.oracle.appends
	sc.oracle.mu.Unlock()
	branch := sc.branch.Load()
	some := all
	if r.IntN(2) == 0 {
		some = []splits.Split{all[r.IntN(len(all))]}
	}
	sc.later(time.Duration(r.Int64N(int64(sc.plan.ttl))), func() {
		if !sc.branch.CompareAndSwap(branch, branch+1) {
			return // a replica follows its master: it does not return to a history that the master discarded
		}
		sc.injectDamage(fmt.Sprintf("rolls back (topic: %v, partitions: %v)", topic, partitions), func() {
			if topic || !partitions {
				sc.store.RestoreTopic(snapshot, topicName)
			}
			if partitions {
				for _, s := range some {
					sc.store.RestoreSplit(snapshot, s)
					sc.oracle.noteTakenBack(s, appends)
				}
			}
		})
	})
}

func (sc *schedule) injectFlush(r *rand.Rand) string {
	sc.branch.Add(1)
	sc.injectDamage("flushes the store", func() {
		sc.store.FlushAll()
		for _, m := range sc.oracle.models {
			sc.oracle.noteTakenBack(m.split, 0)
		}
	})
	// An output writes the metadata again when it next looks up the topic.
	n := sc.maxPartitions
	sc.later(time.Duration(r.Int64N(int64(sc.plan.ttl))), func() { sc.store.SetPartitions(topicName, n) })
	return "flush"
}

func (sc *schedule) injectTrim(r *rand.Rand) string {
	s := sc.randomSplit(r)
	n := len(sc.store.Entries(s))
	if n == 0 {
		return ""
	}
	keep := r.IntN(n)
	sc.injectDamage(fmt.Sprintf("trims %s to %d of %d", s.Key, keep, n), func() { sc.store.TrimTo(s, keep) }, s)
	return "trim"
}

func (sc *schedule) injectDelete(r *rand.Rand) string {
	s := sc.randomSplit(r)
	entries := sc.store.Entries(s)
	if len(entries) == 0 {
		return ""
	}
	offset := entries[r.IntN(len(entries))].Offset
	sc.injectDamage(fmt.Sprintf("deletes %v of %s", offset, s.Key), func() { sc.store.Delete(s, offset) }, s)
	return "deleted entry"
}

func (sc *schedule) injectDrop(r *rand.Rand) string {
	s := sc.randomSplit(r)
	if len(sc.store.Entries(s)) == 0 {
		return ""
	}
	sc.branch.Add(1)
	sc.injectDamage("drops the stream "+s.Key, func() { sc.store.Drop(s) }, s)
	return "stream dropped"
}

func (sc *schedule) injectDropGroup(*rand.Rand) string {
	if sc.plan.latest {
		// A new member that creates the lost group again starts at the latest entry.
		return ""
	}
	sc.injectDamage("drops the group", func() { sc.store.DropGroup(topicName, groupName) })
	return "group dropped"
}

func (sc *schedule) injectDropLease(r *rand.Rand) string {
	if sc.plan.latest {
		return "" // without its position, a member that never held the split starts at the latest entry
	}
	s := sc.randomSplit(r)
	sc.injectDamage("drops the lease of "+s.Key, func() { sc.store.DropLease(groupName, s) }, s)
	return "lease dropped"
}
