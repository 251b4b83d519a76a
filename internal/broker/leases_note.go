package broker

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Note implements splits.Leases.
func (l *Leases) Note(ctx context.Context, notes []splits.Note) []error {
	calls := make([]script.Call, len(notes))
	for i, n := range notes {
		calls[i] = l.noteCall(n)
	}
	return l.underLease(
		ctx,
		"storing the failures in",
		calls,
		func(i int) splits.Split { return notes[i].Lease.Split },
	)
}

func (l *Leases) noteCall(n splits.Note) script.Call {
	args := []any{n.Lease.Member, strconv.FormatUint(n.Lease.Epoch, 10), l.unused}
	args = append(args, attemptArgs(n.Resolved, n.Failing)...)
	split := n.Lease.Split
	return noteScript.Call([]string{l.key(split), keys.Failing(split.Key, l.group)}, args...)
}

// attemptArgs returns the last arguments of note.lua and share_note.lua: the largest number of
// records, the entries whose records are removed, and the records to store.
func attemptArgs(resolved []splits.Offset, failing []splits.Attempted) []any {
	args := []any{splits.MaxAttempted, len(resolved)}
	for _, offset := range resolved {
		args = append(args, offset.String())
	}
	for _, a := range failing {
		lettered := 0
		if a.Lettered {
			lettered = 1
		}
		args = append(args, a.Offset.String(), a.Attempts, a.Age.Milliseconds(), lettered, splits.OneLine(a.Cause))
	}
	return args
}

// failingCall returns the call that reads what is stored of entries that fail. It is a call of its
// own, so that the claim does not name a key that rarely exists: while the slot of the keys moves,
// the server rejects scripts that name existing keys and missing keys.
func (l *Leases) failingCall(split splits.Split) script.Call {
	return failingScript.Call([]string{keys.Failing(split.Key, l.group)})
}

// decodeFailing decodes a reply of the failing script.
func decodeFailing(reply script.Result) ([]splits.Attempted, error) {
	words, err := DecodeLease(failingScript, reply)
	if err != nil {
		return nil, err
	}
	return decodeAttempts(failingScript, words)
}

// decodeAttempts decodes a reply of "OK" and 5 words of each entry. It returns the entries in the
// order of their offsets.
func decodeAttempts(of *script.Script, words script.Reply) (all []splits.Attempted, err error) {
	for i := 1; i < len(words); i += 5 {
		a, err := decodeAttempted(words[i:])
		if err != nil {
			return nil, script.Unreadable(of, []any(words), err)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b splits.Attempted) int { return a.Offset.Compare(b.Offset) })
	return all, nil
}

func decodeAttempted(words script.Reply) (a splits.Attempted, err error) {
	if a.Offset, err = splits.ParseOffset(words.Word(0)); err != nil {
		return a, err
	}
	attempts, err := words.Signed(1)
	if err != nil {
		return a, err
	}
	age, err := words.Signed(2)
	a.Attempts, a.Age = int(attempts), time.Duration(age)*time.Millisecond
	a.Lettered, a.Cause = words.Word(3) == "1", words.Word(4)
	return a, err
}
