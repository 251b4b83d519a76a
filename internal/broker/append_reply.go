package broker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// result decodes the reply to one append.
func (a *Appends) result(target appender.Target, r script.Result) appender.Result {
	result := appender.Result{Status: appender.Failed}
	if r.Err != nil {
		result.Status, result.Err = a.refusedStatus(r.Err), rediserr.Explain(r.Err)
	} else {
		result = a.replied(target, r.Value)
	}
	if result.Err != nil {
		result.Err = fmt.Errorf("appending to %s: %w", target.Key, result.Err)
	}
	return result
}

// These errors are the reasons for which append.lua rejects an append.
var (
	errStale       = errors.New("another epoch of this producer wrote to the partition: rafka starts a new epoch")
	errGap         = errors.New("the server lost appends that it had acknowledged")
	errPartitioned = errors.New("the topic has been given partitions")
)

// replied decodes the reply of append.lua.
func (a *Appends) replied(target appender.Target, value any) appender.Result {
	reply := script.ReplyOf(value)
	switch reply.Word(0) {
	case "OK":
		if text := reply.Word(1); text != "" && a.o.TrimFailed != nil {
			a.o.TrimFailed(
				target,
				fmt.Errorf("trimming %s by XTRIM: %w", target.Key, rediserr.Explain(rediserr.Error(text))),
			)
		}
		known, err := reply.Number(3)
		if err != nil {
			return appender.Result{Status: appender.Unknown, Err: script.Unreadable(appendScript, value, err)}
		}
		return appender.Result{Status: appender.Written, Stored: numberOf(reply.Word(2)), Known: int(known)}
	case "DUP":
		return appender.Result{Status: appender.Duplicate}
	case "STALE":
		return appender.Result{
			Status: appender.Stale,
			Epoch:  numberOf(reply.Word(1)).Epoch,
			Err:    fmt.Errorf("%w (stored: %s)", errStale, reply.Word(1)),
		}
	case "GAP":
		return appender.Result{
			Status: appender.Gap,
			Stored: numberOf(reply.Word(1)),
			Err:    fmt.Errorf("%w (stored: %s)", errGap, reply.Word(1)),
		}
	case "PARTITIONED":
		return appender.Result{Status: appender.Partitioned, Err: errPartitioned}
	case "PARTIAL":
		written, err := reply.Number(1)
		if err != nil {
			return appender.Result{Status: appender.Unknown, Err: script.Unreadable(appendScript, value, err)}
		}
		return appender.Result{
			Status: appender.Partial,
			Count:  int(written),
			Err:    rediserr.Explain(rediserr.Error(reply.Word(2))),
		}
	}
	return appender.Result{Status: appender.Unknown, Err: script.Unexpected(appendScript, value)}
}

// numberOf parses the state of a producer, "epoch:seq". For a missing state it returns zero.
func numberOf(state string) (n appender.Number) {
	epoch, seq, _ := strings.Cut(state, ":")
	n.Epoch, _ = strconv.ParseUint(epoch, 10, 64) // cannot fail: append.lua ignores a state without numbers
	n.Seq, _ = strconv.ParseUint(seq, 10, 64)
	return n
}

// refusedStatus returns what an error of the client means for the records. If the client resends
// requests, the server may have executed the first attempt although its reply was lost, whatever
// the error of the last attempt is. The sequence number must not be used again in this case.
// refusedStatus then returns Unknown. If a retry would fail with the same error, it returns Partial
// with a count of 0 instead, so that the caller does not wait.
func (a *Appends) refusedStatus(err error) appender.Status {
	class := rediserr.Classify(err)
	// A rejected password can be accepted later. If the producer gave up here, it would write the
	// records a second time, although an earlier attempt may have written them.
	passes := class == rediserr.ClassTransient || class == rediserr.ClassAuth ||
		class == rediserr.ClassConnection && rediserr.NeverSent(err)
	switch {
	case class == rediserr.ClassNone: // append.lua never replies without a value
		return appender.Unknown
	case passes && !a.resends:
		return appender.Refused
	case passes, class == rediserr.ClassConnection:
		return appender.Unknown
	case a.resends:
		return appender.Partial
	}
	return appender.Failed
}
