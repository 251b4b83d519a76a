package splits

import (
	"cmp"
	"slices"
)

// Assign distributes the partitions 0 to splits-1 of a topic over the members of a group. The
// result depends on the arguments only, and not on the order of members, so that every member
// computes the same plan.
//
// The plan is balanced: the numbers of partitions of two members differ by at most one. No balanced
// plan moves fewer partitions away from their members in previous. If previous is the plan itself,
// the result equals it. Every member has an entry, which may be empty; its partitions ascend.
//
// previous is an earlier plan that may be stale or damaged. Members that do not exist any more,
// partitions that do not exist, and repetitions are ignored. If several members have a partition,
// the first of them by name counts.
//
// The cost is O(P + M log M) for P partitions, including the ones in previous, and M members.
func Assign(members []string, splits int, previous map[string][]int) map[string][]int {
	shares := sharesOf(members)
	splits = max(splits, 0)
	owners := previousOwners(shares, splits, previous)
	setQuotas(shares, splits)
	keepUpToQuota(owners)
	fillUpToQuota(owners, shares)

	plan := make(map[string][]int, len(shares))
	for _, s := range shares {
		plan[s.member] = make([]int, 0, s.quota)
	}
	for partition, owner := range owners {
		if owner != nil {
			plan[owner.member] = append(plan[owner.member], partition)
		}
	}
	return plan
}

// share is what one member gets while a plan is being made.
type share struct {
	member string
	had    int // partitions in the previous plan
	quota  int // partitions that it is to get
	has    int // partitions that it was given so far
}

// sharesOf returns an empty share for every member, in the order of their names.
func sharesOf(members []string) []*share {
	names := slices.Compact(slices.Sorted(slices.Values(members)))
	shares := make([]*share, len(names))
	for i, name := range names {
		shares[i] = &share{member: name}
	}
	return shares
}

// previousOwners returns the previous owner of every partition, nil if it had none, and counts what
// each share had. Shares are in the order of names: if two had the same partition, the first one
// counts.
func previousOwners(shares []*share, splits int, previous map[string][]int) []*share {
	owners := make([]*share, splits)
	for _, s := range shares {
		for _, partition := range previous[s.member] {
			if partition < 0 || partition >= splits || owners[partition] != nil {
				continue
			}
			owners[partition] = s
			s.had++
		}
	}
	return owners
}

// setQuotas orders the shares by what they had, and gives the odd partitions to the shares that had
// most: otherwise they would have to give up one more.
func setQuotas(shares []*share, splits int) {
	if len(shares) == 0 {
		return
	}
	slices.SortFunc(shares, func(a, b *share) int {
		return cmp.Or(cmp.Compare(b.had, a.had), cmp.Compare(a.member, b.member))
	})
	each, odd := splits/len(shares), splits%len(shares)
	for i, s := range shares {
		s.quota = each
		if i < odd {
			s.quota++
		}
	}
}

// keepUpToQuota leaves every owner its lowest partitions and frees the partitions beyond its quota.
func keepUpToQuota(owners []*share) {
	for partition, owner := range owners {
		switch {
		case owner == nil:
		case owner.has < owner.quota:
			owner.has++
		default:
			owners[partition] = nil
		}
	}
}

// fillUpToQuota gives the free partitions to the shares below their quota, both in their order.
func fillUpToQuota(owners []*share, shares []*share) {
	next := 0
	for partition, owner := range owners {
		if owner != nil {
			continue
		}
		for next < len(shares) && shares[next].has >= shares[next].quota {
			next++
		}
		if next == len(shares) { // the group has no members
			return
		}
		shares[next].has++
		owners[partition] = shares[next]
	}
}
