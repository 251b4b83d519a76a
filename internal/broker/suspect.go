package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// flights are the words for what is in flight, in leases and in share groups (see suspects.lua). The
// field suspect of a lease is "ID flight turn", see splits.Suspect; the ID is 0-0 if nothing is
// suspected. The field deaths has one word "ID@epoch" for each owner that died while the entry with
// the ID was in flight alone. The epoch is that of the owner.
var flights = map[splits.Flight]string{
	splits.NotInFlight:   "waiting",
	splits.InFlight:      "batch",
	splits.InFlightAlone: "alone",
	splits.AnyInFlight:   "any",
}

// encodeSuspect returns a suspect as commit.lua stores it; an empty text keeps the stored one.
func encodeSuspect(s splits.Suspect) string {
	if s == (splits.Suspect{}) {
		return ""
	}
	return fmt.Sprintf("%s %s %d", s.UpTo, flights[s.Flight], s.Turn)
}

// decodeSuspect decodes the ID of a suspect, empty if there is none.
func decodeSuspect(id string) (s splits.Suspect, err error) {
	if id != "" {
		s.UpTo, err = splits.ParseOffset(id)
	}
	return s, err
}

// decodeDeaths decodes the field deaths.
func decodeDeaths(text string) (all []splits.Offset, err error) {
	for word := range strings.FieldsSeq(text) {
		id, _, _ := strings.Cut(word, "@")
		offset, err := splits.ParseOffset(id)
		if err != nil {
			return nil, err
		}
		all = append(all, offset)
	}
	return all, nil
}

// Survive implements splits.Leases.
func (l *Leases) Survive(ctx context.Context, leases []splits.Lease) []error {
	calls := make([]script.Call, len(leases))
	for i, lease := range leases {
		calls[i] = surviveScript.Call([]string{l.key(lease.Split)}, strconv.FormatUint(lease.Epoch, 10))
	}
	return l.underLease(ctx, "taking back a death in", calls, func(i int) splits.Split { return leases[i].Split })
}
