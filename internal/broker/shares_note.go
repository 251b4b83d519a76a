package broker

import (
	"context"
	"strconv"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Note implements splits.Shares.
func (s *Shares) Note(ctx context.Context, notes []splits.ShareNote) []error {
	calls := make([]script.Call, len(notes))
	for i, n := range notes {
		calls[i] = s.noteCall(n)
	}
	errs := make([]error, len(notes))
	for i, reply := range script.RunAll(ctx, s.control, calls) {
		words, err := decodeShare(shareNoteScript, reply)
		if err == nil && words.Word(0) == "STALE" {
			err = splits.ErrStale
		}
		errs[i] = wrapShare("storing the failures in", notes[i].Split, err)
	}
	return errs
}

func (s *Shares) noteCall(n splits.ShareNote) script.Call {
	args := []any{s.group, strconv.FormatUint(n.Generation, 10), s.consumer(n.Member), s.unused}
	names := append(s.keys(n.Split), keys.Failing(n.Split.Key, s.group))
	return shareNoteScript.Call(names, append(args, attemptArgs(n.Resolved, n.Failing)...)...)
}

// failingCall returns the call that reads what is stored of entries that fail. It is a call of its
// own, see Leases.failingCall.
func (s *Shares) failingCall(l splits.ShareLoad) script.Call {
	args := []any{strconv.FormatUint(l.Generation, 10)}
	for _, o := range l.Offsets {
		args = append(args, o.String())
	}
	return shareFailingScript.Call([]string{keys.Failing(l.Split.Key, s.group)}, args...)
}

func decodeShareFailing(reply script.Result) ([]splits.Attempted, error) {
	words, err := decodeShare(shareFailingScript, reply)
	if err != nil {
		return nil, err
	}
	return decodeAttempts(shareFailingScript, words)
}
