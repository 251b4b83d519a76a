package simulation

import (
	"math/rand/v2"
	"time"
)

func (sc *shareSchedule) evictMembers(*rand.Rand) string {
	o := sc.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note("nemesis", "", "evicts the members")
	sc.store.DropMembers(topicName, groupName)
	o.evictedUntil = time.Now().Add(2 * sc.plan.ttl)
	return "members evicted"
}

// rollBack restores the store as it is now, later.
func (sc *shareSchedule) rollBack(r *rand.Rand) string {
	snapshot := sc.store.Snapshot()
	split, which := sc.randomSplit(r), r.IntN(3)
	d := time.Duration(r.Int64N(int64(sc.plan.ttl)))
	sc.later(d, func() {
		sc.damage("rolls the store back", func() {
			switch which {
			case 0:
				sc.store.Restore(snapshot)
			case 1:
				sc.store.RestoreTopic(snapshot, topicName)
			default:
				sc.store.RestoreSplit(snapshot, split)
			}
		})
	})
	return "rollback"
}

func (sc *shareSchedule) flush(*rand.Rand) string {
	return sc.damage("flush", func() {
		sc.store.FlushAll()
		sc.store.SetPartitions(topicName, sc.partitions)
	})
}

func (sc *shareSchedule) trim(r *rand.Rand) string {
	split, n := sc.randomSplit(r), r.IntN(20)
	return sc.damage("trim", func() { sc.store.TrimTo(split, n) })
}

func (sc *shareSchedule) drop(r *rand.Rand) string {
	split := sc.randomSplit(r)
	return sc.damage("stream dropped", func() { sc.store.Drop(split) })
}

func (sc *shareSchedule) destroyGroup(r *rand.Rand) string {
	split := sc.randomSplit(r)
	return sc.damage("native group destroyed", func() { sc.store.DropShare(groupName, split) })
}

func (sc *shareSchedule) dropMark(r *rand.Rand) string {
	split := sc.randomSplit(r)
	return sc.damage("mark evicted", func() { sc.store.DropShareMark(groupName, split) })
}
