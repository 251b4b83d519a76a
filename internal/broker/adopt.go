package broker

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Adoptions reads and acknowledges what is pending in the Redis consumer groups of other programs
// that one group of rafka continues. It implements splits.Adoptions. It is safe for concurrent use
// and does not close its clients.
type Adoptions struct {
	blocking, control redis.UniversalClient
	group             string
	unused            int64 // the result of ForgetAfter, an argument of the script
}

var _ splits.Adoptions = (*Adoptions)(nil)

// NewAdoptions returns the adoptions of a group. The clients are those of a [Log]: entries are read
// on the blocking client. keepUnused is [LeasesOptions.KeepUnused].
func NewAdoptions(blocking, control redis.UniversalClient, group string, keepUnused bool) *Adoptions {
	return &Adoptions{blocking: blocking, control: control, group: group, unused: ForgetAfter(keepUnused)}
}

// Pending implements splits.Adoptions.
func (a *Adoptions) Pending(ctx context.Context, req splits.PendingRequest) (splits.PendingPage, error) {
	call := adoptPendingScript.Call([]string{req.Split.Key, keys.Lease(req.Split.Key, a.group)},
		req.After.String(), req.UpTo.String(), req.MaxEntries, req.MaxBytes)
	reply := script.RunAll(ctx, a.blocking, []script.Call{call})[0]
	page, err := decodePending(reply)
	if err != nil {
		return page, fmt.Errorf("reading what is pending in partition %s: %w", req.Split, err)
	}
	return page, nil
}

// decodePending decodes the reply "OK through more gone entries".
func decodePending(reply script.Result) (page splits.PendingPage, err error) {
	if reply.Err != nil {
		return page, unfinished(rediserr.ExplainRead(reply.Err))
	}
	words := script.ReplyOf(reply.Value)
	if words.Word(0) != "OK" || len(words) < 5 {
		return page, script.Unexpected(adoptPendingScript, reply.Value)
	}
	page.More = words.Word(2) == "1"
	if page.Through, err = splits.ParseOffset(words.Word(1)); err != nil {
		return splits.PendingPage{}, script.Unreadable(adoptPendingScript, reply.Value, err)
	}
	for _, id := range words.Words(3) {
		offset, err := splits.ParseOffset(id)
		if err != nil {
			return splits.PendingPage{}, script.Unreadable(adoptPendingScript, reply.Value, err)
		}
		page.Gone = append(page.Gone, offset)
	}
	if page.Entries, err = entries(words[4]); err != nil {
		return splits.PendingPage{}, script.Unreadable(adoptPendingScript, reply.Value, err)
	}
	return page, nil
}

// Settle implements splits.Adoptions.
func (a *Adoptions) Settle(ctx context.Context, all []splits.Settlement) []splits.Settled {
	calls := make([]script.Call, len(all))
	for i, s := range all {
		split := s.Lease.Split
		c := adoptSettleScript.Begin([]string{split.Key, keys.Lease(split.Key, a.group)}, 5+len(s.Done))
		for _, arg := range []any{
			s.Lease.Member, strconv.FormatUint(s.Lease.Epoch, 10), a.unused, a.group, s.Behind.String(),
		} {
			c.Add(arg)
		}
		for _, offset := range s.Done {
			c.Add(offset.String())
		}
		calls[i] = c
	}
	settled := make([]splits.Settled, len(all))
	for i, reply := range script.RunAll(ctx, a.control, calls) {
		words, err := DecodeLease(adoptSettleScript, reply)
		if err == nil {
			if settled[i].Pending, err = words.Signed(1); err != nil {
				err = script.Unreadable(adoptSettleScript, reply.Value, err)
			}
		}
		if err != nil {
			settled[i] = splits.Settled{Err: fmt.Errorf("acknowledging in partition %s: %w", all[i].Lease.Split, err)}
		}
	}
	return settled
}

// AdoptionError is why rafka does not continue a Redis consumer group.
type AdoptionError struct {
	Reason AdoptionReason
	// Stream and Group name the Redis consumer group.
	Stream, Group string
	// Consumer is the consumer that received something recently, and Idle the time since then.
	Consumer string
	Idle     time.Duration
	// Committed is the offset that the group of rafka has already.
	Committed string
}

// AdoptionReason is the reason of an AdoptionError.
type AdoptionReason string

// The reasons, as scripts return them.
const (
	// AdoptionNoGroup: the stream has no such Redis consumer group.
	AdoptionNoGroup AdoptionReason = "none"
	// AdoptionMirror: the Redis consumer group mirrors the position of a group of rafka.
	AdoptionMirror AdoptionReason = "rafka"
	// AdoptionActive: a consumer has received something recently.
	AdoptionActive AdoptionReason = "active"
	// AdoptionStarted: the group of rafka has an offset already.
	AdoptionStarted AdoptionReason = "exists"
)

// quiet is QUIET_MS of adoptable.lua.
const quiet = 10 * time.Minute

// Error names the group, the reason and the remedy.
func (e *AdoptionError) Error() string {
	group := fmt.Sprintf("the Redis consumer group %s of stream %s", e.Group, e.Stream)
	switch e.Reason {
	case AdoptionMirror:
		return group + " was created by rafka, which moves it with the offsets of its own group: use rafka group seek"
	case AdoptionActive:
		return fmt.Sprintf("%s is in use: its consumer %q received something %s ago. Stop all its readers. rafka can "+
			"continue the group when none of them has received anything for %s, in %s at the earliest",
			group, keys.Visible(e.Consumer), e.Idle.Round(time.Second), quiet, (quiet - e.Idle).Round(time.Second))
	case AdoptionStarted:
		return fmt.Sprintf(
			"the group has the offset %s of stream %s already: move it with rafka group seek, or delete "+
				"its offsets first with rafka group delete",
			e.Committed,
			e.Stream,
		)
	default:
		return fmt.Sprintf(
			"stream %s has no Redis consumer group %s, so rafka can't continue it: correct the name, or "+
				"create the group where reading is to begin (XGROUP CREATE %s %s 0 MKSTREAM), or set start_offset to "+
				"earliest or latest",
			e.Stream,
			e.Group,
			e.Stream,
			e.Group,
		)
	}
}

// decodeRefusal decodes the replies "REFUSED reason stream group ...".
func decodeRefusal(words script.Reply) error {
	e := &AdoptionError{Reason: AdoptionReason(words.Word(1)), Stream: words.Word(2), Group: words.Word(3)}
	switch e.Reason {
	case AdoptionActive:
		idle, _ := words.Signed(5) // a wrong number only affects the text
		e.Consumer, e.Idle = words.Word(4), time.Duration(idle)*time.Millisecond
	case AdoptionStarted:
		e.Committed = words.Word(4)
	}
	return e
}
