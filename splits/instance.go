package splits

import (
	"strconv"
	"strings"
)

// A static member keeps its name across restarts, so that a restart moves no split. Each run of a
// static member is an incarnation, and leases belong to incarnations. The incarnations of one
// member are ordered, and a later one always wins: it takes over the leases of an earlier one
// without waiting for their end, and the next beat of the earlier one returns a SupersededError.
// See Config.Owner.

// Incarnation returns the name of one incarnation of a static member, as the owner of leases. The
// number orders the incarnations. unique consists of letters and digits, and orders two
// incarnations with the same number.
func Incarnation(member string, number uint64, unique string) string {
	return member + "/" + strconv.FormatUint(number, 10) + "-" + unique
}

// Supersedes reports whether owner is a later incarnation of the same static member than other.
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
