package splits

import (
	"strconv"
	"strings"
)

// Static membership: a member that keeps its name when it comes back is the same member to the
// group, so its restart moves no split. Each of its lives is an incarnation, and that is what owns
// leases. Incarnations of one member are ordered, and the later always wins: it takes the leases of
// an earlier one over without waiting for their end, and the earlier one is told so with its next
// beat. See Config.Owner.

// Incarnation names one life of a static member as the owner of leases. The number orders the
// lives; unique, made of letters and digits, decides between two that came by the same number.
func Incarnation(member string, number uint64, unique string) string {
	return member + "/" + strconv.FormatUint(number, 10) + "-" + unique
}

// Supersedes reports whether an owner is a later incarnation of the static member that another
// owner is one of.
func Supersedes(owner, other string) bool {
	member, number, unique, ok := parseIncarnation(owner)
	otherMember, otherNumber, otherUnique, otherOK := parseIncarnation(other)
	switch {
	case !ok || !otherOK || member != otherMember:
		return false
	case number != otherNumber:
		return number > otherNumber
	}
	return unique > otherUnique
}

func parseIncarnation(owner string) (member string, number uint64, unique string, ok bool) {
	i := strings.LastIndexByte(owner, '/')
	if i < 0 {
		return "", 0, "", false
	}
	digits, unique, ok := strings.Cut(owner[i+1:], "-")
	number, err := strconv.ParseUint(digits, 10, 64)
	return owner[:i], number, unique, ok && unique != "" && err == nil
}
