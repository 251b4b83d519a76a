package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Misfortune that befalls the store.

func (w *world) strikeStoreClock(r *rand.Rand) string {
	d := time.Duration(r.Int64N(int64(4*w.plan.ttl))) - 2*w.plan.ttl
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	w.oracle.note("nemesis", "", "sets the clock of the store by %v", d)
	w.store.StepClock(d)
	w.oracle.lastBeat = time.Time{}
	if d > 0 {
		w.oracle.shaken()
		return "clock of the store forward"
	}
	w.oracle.clockWentBack = true
	return "clock of the store back"
}

func (w *world) strikeGrow(r *rand.Rand) string {
	if w.most >= w.plan.partitions+8 {
		return ""
	}
	w.most += 1 + r.IntN(3)
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	w.oracle.note("nemesis", "", "adds partitions: %d", w.most)
	w.store.SetPartitions(topicName, w.most)
	return "partitions grown"
}

// damage changes the store in a way that loses something, and has the oracle look at what is left
// of the splits that were struck, none given means all. Nobody is to be blamed for a while.
func (w *world) damage(what string, do func(), struck ...splits.Split) {
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	w.oracle.note("nemesis", "", "%s", what)
	do()
	w.oracle.damaged, w.oracle.lastBeat = true, time.Time{}
	w.oracle.shaken()
	if len(struck) == 0 {
		for _, p := range w.oracle.parts {
			struck = append(struck, p.split)
		}
	}
	for _, s := range struck {
		w.oracle.resync(s)
	}
}

func (w *world) split(r *rand.Rand) splits.Split {
	all := w.store.Splits(topicName)
	return all[r.IntN(len(all))]
}

func (w *world) strikeRollback(r *rand.Rand) string {
	all := w.store.Splits(topicName)
	w.oracle.mu.Lock()
	snapshot, turn := w.store.Snapshot(), w.oracle.turns
	w.oracle.mu.Unlock()
	branch := w.branch.Load()
	some := all
	if r.IntN(2) == 0 {
		some = []splits.Split{all[r.IntN(len(all))]}
	}
	topic, partitions := r.IntN(2) == 0, r.IntN(3) > 0
	w.later(time.Duration(r.Int64N(int64(w.plan.ttl))), func() {
		if !w.branch.CompareAndSwap(branch, branch+1) {
			return // a replica follows its master: it doesn't go back to what another one has thrown away
		}
		w.damage(fmt.Sprintf("rolls back (topic: %v, partitions: %v)", topic, partitions), func() {
			if topic || !partitions {
				w.store.RestoreTopic(snapshot, topicName)
			}
			if partitions {
				for _, s := range some {
					w.store.RestoreSplit(snapshot, s)
					w.oracle.undone(s, turn)
				}
			}
		})
	})
	switch {
	case topic && partitions:
		return "rollback of both shards"
	case partitions:
		return "rollback of partitions"
	}
	return "rollback of the topic"
}

func (w *world) strikeFlush(r *rand.Rand) string {
	w.branch.Add(1)
	w.damage("flushes the store", func() {
		w.store.FlushAll()
		for _, p := range w.oracle.parts {
			w.oracle.undone(p.split, 0)
		}
	})
	// An output writes the metadata back when it looks at the topic again.
	n := w.most
	w.later(time.Duration(r.Int64N(int64(w.plan.ttl))), func() { w.store.SetPartitions(topicName, n) })
	return "flush"
}

func (w *world) strikeTrim(r *rand.Rand) string {
	s := w.split(r)
	n := len(w.store.Entries(s))
	if n == 0 {
		return ""
	}
	keep := r.IntN(n)
	w.damage(fmt.Sprintf("trims %s to %d of %d", s.Key, keep, n), func() { w.store.TrimTo(s, keep) }, s)
	return "trim"
}

func (w *world) strikeDelete(r *rand.Rand) string {
	s := w.split(r)
	entries := w.store.Entries(s)
	if len(entries) == 0 {
		return ""
	}
	offset := entries[r.IntN(len(entries))].Offset
	w.damage(fmt.Sprintf("deletes %v of %s", offset, s.Key), func() { w.store.Delete(s, offset) }, s)
	return "deleted entry"
}

func (w *world) strikeDrop(r *rand.Rand) string {
	s := w.split(r)
	if len(w.store.Entries(s)) == 0 {
		return ""
	}
	w.branch.Add(1)
	w.damage("drops the stream "+s.Key, func() { w.store.Drop(s) }, s)
	return "stream dropped"
}

func (w *world) strikeDropGroup(*rand.Rand) string {
	if w.plan.latest {
		// a group that is not known any more is made anew, and begins at the latest entry if it is
		// made by a newcomer
		return ""
	}
	w.damage("drops the group", func() { w.store.DropGroup(topicName, groupName) })
	return "group dropped"
}

func (w *world) strikeDropLease(r *rand.Rand) string {
	if w.plan.latest {
		return "" // without its position, and by who never had it, a split is begun at the latest entry
	}
	s := w.split(r)
	w.damage("drops the lease of "+s.Key, func() { w.store.DropLease(groupName, s) }, s)
	return "lease dropped"
}
