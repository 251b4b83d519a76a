package broker

import (
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// DecodeLease decodes a reply of the scripts claim, commit, reset and release. It returns an error
// if the script rejected the request.
func DecodeLease(s *script.Script, reply script.Result) (script.Reply, error) {
	if reply.Err != nil {
		return nil, rediserr.Explain(reply.Err)
	}
	words := script.ReplyOf(reply.Value)
	switch words.Word(0) {
	case "OK":
		return words, nil
	case "FENCED":
		return nil, fence(words.Word(3))
	case "REFUSED":
		return nil, decodeRefusal(words)
	case "HELD":
		remaining, err := words.Signed(2)
		if err != nil {
			return nil, script.Unreadable(s, reply.Value, err)
		}
		return nil, &splits.HeldError{
			Owner:     keys.Visible(words.Word(1)),
			Remaining: time.Duration(remaining) * time.Millisecond,
		}
	}
	return nil, script.Unexpected(s, reply.Value)
}

// fence returns the error of a request whose lease has ended. moved is "seek", "skip" or "delete"
// if an operator ended the lease with this operation.
func fence(moved string) error {
	switch moved {
	case "seek":
		return splits.ErrMoved
	case "skip":
		return splits.ErrSkipped
	case "delete":
		return splits.ErrDeleted
	}
	return splits.ErrFenced
}

// decodeGranted decodes the reply "OK epoch offset read attempts mirror deleted resolved done
// adopting suspect deaths".
func decodeGranted(words script.Reply) (g splits.Granted, err error) {
	if g.Epoch, err = words.Number(1); err != nil {
		return g, err
	}
	if g.Position.Offset, err = splits.ParseOffset(words.Word(2)); err != nil {
		return g, err
	}
	if g.Position.EntriesRead, err = words.Signed(3); err != nil {
		return g, err
	}
	attempts, err := words.Signed(4)
	if g.Attempts = int(attempts); err != nil {
		return g, err
	}
	g.Resolved, g.Adopting = words.Word(7) == "1", words.Word(9)
	if g.Suspect, err = decodeSuspect(words.Word(10)); err != nil {
		return g, err
	}
	if g.Deaths, err = decodeDeaths(words.Word(11)); err != nil {
		return g, err
	}
	g.Deleted, err = words.Number(6)
	return g, err
}

// finished decodes the finished ranges of a lease. It ignores damaged ranges, since without them
// messages are only delivered again.
func (l *Leases) finished(split splits.Split, text string) []splits.Range {
	ranges, err := DecodeFinished(text)
	if err != nil {
		l.warn(split, fmt.Sprintf("the lease %s is damaged: %v. Messages that were processed before may be "+
			"delivered again", l.key(split), err))
		return nil
	}
	return ranges
}

// noteMirror warns of a Redis consumer group that rafka does not move.
func (l *Leases) noteMirror(split splits.Split, mirror string) {
	warning, warns := mirrorWarnings[mirror]
	if !warns {
		return
	}
	l.mu.Lock()
	first := !l.warned[split]
	l.warned[split] = true
	l.mu.Unlock()
	if first {
		l.warn(split, fmt.Sprintf("stream %s has a Redis consumer group %s that "+warning, split.Key, l.group))
	}
}

// mirrorWarnings are the ends of the warnings, by the owner of the mirror.
var mirrorWarnings = map[string]string{
	"foreign": "rafka did not create: it is left alone, so XINFO GROUPS does not show rafka's position. To have it " +
		"shown, use another consumer_group, or remove that group with XGROUP DESTROY if nothing else uses it. To " +
		"continue where it stands, run rafka group delete, and set start_offset to group",
	"shared": "mirrors rafka's position, and another client reads with it (XINFO CONSUMERS names its consumers): " +
		"rafka no longer moves it. Stop that client, or give it a group of its own, and remove its consumers with " +
		"XGROUP DELCONSUMER",
}
