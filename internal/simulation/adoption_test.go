package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Foreign groups: before the first member joins, another program has read a part of each split.

// addForeignGroups adds entries and a foreign group to each split. The readers of some of the
// groups go on for a while.
func (sc *schedule) addForeignGroups() {
	r := sc.rng.of("foreign groups").rand()
	for _, s := range sc.store.Splits(topicName) {
		sc.addForeignGroup(r, s)
		if r.IntN(4) == 0 && !sc.plan.gentle {
			n := 1 + r.IntN(5)
			sc.later(time.Duration(r.Int64N(int64(sc.plan.lasts))), func() { sc.readForeign(s, n) })
		}
	}
}

// addForeignGroup adds entries to one split, and a foreign group that has delivered some of them.
func (sc *schedule) addForeignGroup(r *rand.Rand, s splits.Split) {
	o := sc.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 1 + r.IntN(12)
	delivered := r.IntN(n + 1)
	numbers := map[string]int{}
	var last splits.Offset
	var pending []splits.Offset
	for i := range n {
		key := fmt.Sprint("old", r.IntN(3))
		numbers[key]++
		record := &record{
			id: fmt.Sprintf("%s/%d@%d", key, numbers[key], s.Partition), key: key, split: s.Key, number: numbers[key],
		}
		switch r.IntN(20) {
		case 0:
			record.failures = 1 + r.IntN(mostFailures)
		case 1:
			record.unfit = sc.plan.deadLetters && r.IntN(3) == 0
		}
		record.killer = o.killers.draw(r)
		o.records[record.id] = record
		offset := sc.store.Append(s, "body", record.id, "rafka_key", key)
		o.checkAppend(s, []string{record.id}, []splits.Offset{offset}, false)
		switch {
		case i >= delivered:
		case r.IntN(2) == 0:
			last, record.pending = offset, true
			pending = append(pending, offset)
		default:
			last, record.finished, record.acked = offset, true, true
		}
	}
	sc.store.AddForeignGroup(groupName, s, last, pending...)
	o.note("foreign reader", s.Key, "has read up to %v of %d, %d are pending", last, n, len(pending))
}

// readForeign lets the reader of a foreign group take entries, as one that was not stopped.
func (sc *schedule) readForeign(s splits.Split, n int) {
	sc.oracle.mu.Lock()
	defer sc.oracle.mu.Unlock()
	sc.oracle.note("foreign reader", s.Key, "reads on")
	sc.counts.count("foreign reader reads on")
	before, _, _ := sc.store.ForeignGroup(groupName, s)
	sc.store.ReadForeign(groupName, s, n)
	after, _, _ := sc.store.ForeignGroup(groupName, s)
	_, adopted := sc.store.Lease(groupName, s)
	for _, r := range sc.oracle.model(s).entries {
		if before.Before(r.offset) && r.offset.Compare(after) <= 0 {
			r.pending, r.taken = !adopted, true
		}
	}
}

// auditedAdoptions is auditedLeases for adoptions.
type auditedAdoptions struct {
	splits.Adoptions
	oracle *oracle
}

func (a *auditedAdoptions) Settle(ctx context.Context, all []splits.Settlement) []splits.Settled {
	a.oracle.mu.Lock()
	defer a.oracle.mu.Unlock()
	before := make([][]splits.Offset, len(all))
	for i, s := range all {
		_, before[i], _ = a.oracle.store.ForeignGroup(groupName, s.Lease.Split)
	}
	settled := a.Adoptions.Settle(ctx, all)
	for i, s := range settled {
		if s.Err == nil {
			a.oracle.checkSettled(all[i].Lease, before[i])
		}
	}
	return settled
}

// checkSettled checks that nothing was acknowledged in a foreign group, or left behind there, that
// no pipeline has processed. The caller holds the lock.
func (o *oracle) checkSettled(l splits.Lease, before []splits.Offset) {
	m := o.model(l.Split)
	_, after, _ := o.store.ForeignGroup(groupName, l.Split)
	o.note(l.Member, l.Split.Key, "settled: epoch %d, %d of %d are pending", l.Epoch, len(after), len(before))
	for _, r := range m.entries {
		if slices.Contains(before, r.offset) && !slices.Contains(after, r.offset) && !r.acked {
			o.violated(l.Split.Key, "%s was acknowledged in the foreign group, but was never processed", r.id)
		}
	}
}
