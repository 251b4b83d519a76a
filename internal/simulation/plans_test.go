package simulation

import (
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// proposed judges a plan that was stored in the place of another. The lock is held.
func (o *oracle) proposed(plan, before splits.Plan) {
	if before.Version != plan.Version && time.Now().After(o.excused) { // else its maker may have known another one
		o.moved(plan, before)
	}
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
			o.violated(
				"",
				"the plan %d leaves partitions out: it has %d of them, and %d among these",
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

// moved makes sure that a plan moves no more partitions than a balanced one has to: of what each
// member had it keeps as much as its quota allows, and those that had most have the larger quotas.
// The lock is held.
func (o *oracle) moved(plan, before splits.Plan) {
	total := 0
	for _, partitions := range plan.Assignments {
		total += len(partitions)
	}
	var had []int
	kept := 0
	for member, partitions := range plan.Assignments {
		n := 0
		for _, partition := range before.Assignments[member] {
			if partition < total { // a rollback may have taken partitions back
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
		o.violated("", "the plan %d leaves %d partitions where they were, and could have left %d: %v, before %v",
			plan.Version, kept, could, plan.Assignments, before.Assignments)
	}
}
