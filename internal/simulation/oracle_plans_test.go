package simulation

import (
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// checkPlan checks a plan that replaced the plan before. The caller holds the lock.
func (o *oracle) checkPlan(plan, before splits.Plan) {
	if before.Version != plan.Version && time.Now().After(o.graceUntil) { // else its author may have known another plan
		o.checkMoves(plan, before)
	}
	members := o.store.Members(topicName, groupName)
	seen := map[int]bool{}
	least, most := 1<<30, 0
	for member, partitions := range plan.Assignments {
		if !slices.Contains(members, member) {
			o.violated("", "the plan %d gives partitions to %s, which is not a member", plan.Version, member)
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
			o.violated(
				"",
				"the plan %d leaves out partitions: it has %d of them, including %d",
				plan.Version,
				len(seen),
				n,
			)
		}
	}
	if most-least > 1 {
		o.violated(
			"",
			"the plan %d gives one member %d partitions and another %d: %v",
			plan.Version,
			most,
			least,
			plan.Assignments,
		)
	}
}

// checkMoves checks that a plan moves no more partitions than balance requires: a member keeps as
// many of its partitions as its quota allows, and the members that had most have the larger quotas.
// The caller holds the lock.
func (o *oracle) checkMoves(plan, before splits.Plan) {
	total := 0
	for _, partitions := range plan.Assignments {
		total += len(partitions)
	}
	var had []int
	kept := 0
	for member, partitions := range plan.Assignments {
		n := 0
		for _, partition := range before.Assignments[member] {
			if partition < total { // a rollback may have removed partitions
				n++
			}
			if slices.Contains(partitions, partition) {
				kept++
			}
		}
		had = append(had, n)
	}
	slices.SortFunc(had, func(a, b int) int { return b - a })
	could := 0
	for i, n := range had {
		quota := total / len(had)
		if i < total%len(had) {
			quota++
		}
		could += min(n, quota)
	}
	if kept < could {
		o.violated("", "the plan %d leaves %d partitions in place, and could have left %d: %v, before %v",
			plan.Version, kept, could, plan.Assignments, before.Assignments)
	}
}
