package splits

import (
	"cmp"
	"slices"
)

// Assign shares the partitions 0 to splits-1 of a topic out to the members of a group, so that
// everyone who computes a plan from the same input gets the same plan: it depends on nothing else,
// not even on the order of members.
//
// The plan is balanced (no two members differ by more than one partition), no balanced plan moves
// fewer partitions away from where previous has them, and assigning anew with the plan itself as
// previous changes nothing. Every member has an entry, which may be empty; its partitions ascend.
//
// Previous is a wish of the past that may be stale or damaged: members that are gone, partitions
// that do not exist and repetitions are passed over, and a partition that several members have
// counts for the first of them by name.
//
// It takes O(P + M log M) time for P partitions, in previous too, and M members.
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
	had    int // partitions by the previous plan
	quota  int // partitions it is to have
	has    int // partitions it was given so far
}

// sharesOf makes an empty share for every member, in the order of their names.
func sharesOf(members []string) []*share {
	names := slices.Compact(slices.Sorted(slices.Values(members)))
	shares := make([]*share, len(names))
	for i, name := range names {
		shares[i] = &share{member: name}
	}
	return shares
}

// previousOwners tells for every partition who had it, nil if no member did, and counts what each
// had. Shares are in the order of names, which decides between two that claim to have the same
// partition.
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

// setQuotas orders the shares by what they had, and gives the odd partitions to those that had
// most: they would have to give up one more otherwise.
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

// keepUpToQuota leaves every owner its lowest partitions and frees those beyond its quota.
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
		if next == len(shares) { // there are no members at all
			return
		}
		shares[next].has++
		owners[partition] = shares[next]
	}
}
