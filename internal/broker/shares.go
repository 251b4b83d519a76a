package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Shares are the entries of a topic as one share group reads them. It implements splits.Shares on
// Redis consumer groups: the native group has the name of the share group, and each member is a
// consumer. A call with many requests sends one pipeline per node. Shares is safe for concurrent
// use and does not close its clients.
type Shares struct {
	blocking, control redis.UniversalClient
	topic, group      string
	unused            int64         // the result of ForgetAfter, an argument of the scripts
	prefix            string        // of the names of the topic's consumers
	longest           time.Duration // see Log
	registry          *Registry
}

var _ splits.Shares = (*Shares)(nil)

// SharesOptions configures the Shares of one group of one topic.
type SharesOptions struct {
	Topic, Group string
	// KeepUnused makes Redis keep what it stores of an unused group forever: see LeasesOptions.
	KeepUnused bool
	// Registry, if set, knows the groups of the topic by the heartbeats of this group. Without it
	// nothing is deleted.
	Registry *Registry
}

// NewShares returns the Shares of a group. They read entries on the blocking client, and send all
// other requests on the control client.
func NewShares(blocking, control redis.UniversalClient, o SharesOptions) *Shares {
	return &Shares{
		blocking: blocking, control: control, topic: o.Topic, group: o.Group, unused: ForgetAfter(o.KeepUnused),
		prefix: keys.Consumer(o.Topic, ""), longest: longestBlock(blocking), registry: o.Registry,
	}
}

// Node returns the address of the server that holds a split: see Leases.Node.
func (s *Shares) Node(split splits.Split) string { return script.NodeOf(s.control, split.Key) }

// Shard is the same as Log.Shard.
func (s *Shares) Shard(split splits.Split) string { return shard(s.control, split) }

func (s *Shares) keys(split splits.Split) []string {
	return []string{split.Key, keys.Share(split.Key, s.group)}
}

func (s *Shares) consumer(member string) string { return s.prefix + member }

// Open implements splits.Shares.
func (s *Shares) Open(ctx context.Context, opens []splits.ShareOpen) []splits.ShareOpened {
	calls := make([]script.Call, len(opens))
	for i, o := range opens {
		kind, at := StartArgs(o.Start)
		calls[i] = shareOpenScript.Call(s.keys(o.Split), s.group, kind, at, s.unused)
	}
	answers := make([]splits.ShareOpened, len(opens))
	for i, reply := range script.RunAll(ctx, s.control, calls) {
		words, err := decodeShare(shareOpenScript, reply)
		if err == nil {
			answers[i].Exists, answers[i].Reset = words.Word(0) == "OK", words.Word(2) == "1"
			if answers[i].Generation, err = words.Number(1); err != nil {
				err = script.Unreadable(shareOpenScript, reply.Value, err)
			}
		}
		answers[i].Err = wrapShare("opening", opens[i].Split, err)
	}
	return answers
}

// Acknowledge implements splits.Shares.
func (s *Shares) Acknowledge(ctx context.Context, acks []splits.ShareAck) []splits.ShareAcked {
	calls, d := make([]script.Call, len(acks)), s.deletion()
	for i, a := range acks {
		calls[i] = shareAckScript.Begin(s.keys(a.Split), 5+len(a.Offsets))
		calls[i].Add(s.group)
		calls[i].Add(strconv.FormatUint(a.Generation, 10))
		calls[i].Add(s.unused)
		d.addTo(&calls[i], a.Delete)
		for _, o := range a.Offsets {
			calls[i].Add(o.String())
		}
	}
	answers := make([]splits.ShareAcked, len(acks))
	for i, reply := range script.RunAll(ctx, s.control, calls) {
		words, err := decodeShare(shareAckScript, reply)
		if err == nil && words.Word(0) == "STALE" {
			if answers[i].Generation, err = words.Number(1); err != nil {
				err = script.Unreadable(shareAckScript, reply.Value, err)
			} else {
				err = splits.ErrStale
			}
		} else if err == nil && acks[i].Delete {
			answers[i].Kept = d.kept(acks[i].Split, words)
		}
		answers[i].Err = wrapShare("acknowledging entries of", acks[i].Split, err)
	}
	return answers
}

// Pending implements splits.Shares.
func (s *Shares) Pending(ctx context.Context, req splits.SharePending) []splits.ShareHeld {
	calls := make([]script.Call, len(req.Splits))
	for i, split := range req.Splits {
		calls[i] = sharePendingScript.Call(s.keys(split), s.group, s.consumer(req.Member), req.Most)
	}
	answers := make([]splits.ShareHeld, len(req.Splits))
	for i, reply := range script.RunAll(ctx, s.control, calls) {
		words, err := decodeShare(sharePendingScript, reply)
		if err == nil {
			if answers[i], err = decodeHeld(words); err != nil {
				err = script.Unreadable(sharePendingScript, reply.Value, err)
			}
		}
		answers[i].Err = wrapShare("listing what is pending in", req.Splits[i], err)
	}
	return answers
}

// Holders implements splits.Shares.
func (s *Shares) Holders(ctx context.Context, of []splits.Split) []splits.ShareHolders {
	calls := make([]script.Call, len(of))
	for i, split := range of {
		calls[i] = shareHoldersScript.Call([]string{split.Key}, s.group, s.prefix)
	}
	answers := make([]splits.ShareHolders, len(of))
	for i, reply := range script.RunAll(ctx, s.control, calls) {
		words, err := decodeShare(shareHoldersScript, reply)
		if err == nil {
			if answers[i], err = s.decodeHolders(words); err != nil {
				err = script.Unreadable(shareHoldersScript, reply.Value, err)
			}
		}
		answers[i].Err = wrapShare("listing the consumers of", of[i], err)
	}
	return answers
}

// decodeHolders decodes the reply "OK names pending lag oldest".
func (s *Shares) decodeHolders(words script.Reply) (answer splits.ShareHolders, err error) {
	if answer.Lag, err = words.Signed(3); err != nil {
		return answer, err
	}
	if oldest := words.Word(4); oldest != "" {
		if answer.Oldest, err = splits.ParseOffset(oldest); err != nil {
			return answer, err
		}
	}
	names, pending := words.Words(1), script.Reply(nil)
	if len(words) > 2 {
		pending = script.ReplyOf(words[2])
	}
	for i, name := range names {
		n, err := pending.Signed(i)
		if err != nil {
			return answer, err
		}
		holder := splits.ShareHolder{Member: strings.TrimPrefix(name, s.prefix), Pending: int(n)}
		answer.Holders = append(answer.Holders, holder)
	}
	return answer, nil
}

// Take implements splits.Shares.
func (s *Shares) Take(ctx context.Context, t splits.ShareTake) (taken splits.ShareTaken, err error) {
	died := 0
	if t.Died {
		died = 1
	}
	call := shareTakeScript.Call(
		s.keys(t.Split),
		s.group,
		s.consumer(t.From),
		s.consumer(t.To),
		min(t.Most, splits.MaxTake),
		died,
	)
	return s.take(ctx, call, t.Split)
}

// TakeIdle implements splits.Shares.
func (s *Shares) TakeIdle(ctx context.Context, t splits.ShareTakeIdle) (splits.ShareTaken, error) {
	call := shareAdoptScript.Call(
		s.keys(t.Split),
		s.group,
		s.consumer(t.To),
		script.Millis(t.Idle),
		min(t.Most, splits.MaxTake),
	)
	return s.take(ctx, call, t.Split)
}

// take makes a call that takes over entries of a split.
func (s *Shares) take(ctx context.Context, call script.Call, split splits.Split) (taken splits.ShareTaken, err error) {
	reply := script.RunAll(ctx, s.control, []script.Call{call})[0]
	words, err := decodeShare(call.Script, reply)
	if err == nil {
		if taken, err = decodeTaken(words); err != nil {
			err = script.Unreadable(call.Script, reply.Value, err)
		}
	}
	return taken, wrapShare("taking over entries of", split, err)
}

// Load implements splits.Shares.
func (s *Shares) Load(ctx context.Context, l splits.ShareLoad) (loaded splits.ShareLoaded, err error) {
	call := shareLoadScript.Begin(s.keys(l.Split), 2+len(l.Offsets))
	call.Add(l.Bytes)
	call.Add(strconv.FormatUint(l.Generation, 10))
	for _, o := range l.Offsets {
		call.Add(o.String())
	}
	replies := script.RunAll(ctx, s.blocking, []script.Call{call, s.failingCall(l)})
	reply := replies[0]
	if reply.Err != nil {
		return loaded, wrapShare("reading entries of", l.Split, unfinished(rediserr.ExplainRead(reply.Err)))
	}
	words, err := decodeShare(shareLoadScript, reply)
	if err == nil {
		if loaded, err = decodeLoaded(words); err != nil {
			err = script.Unreadable(shareLoadScript, reply.Value, err)
		}
	}
	if err == nil {
		loaded.Failing, err = decodeShareFailing(replies[1])
	}
	return loaded, wrapShare("reading entries of", l.Split, err)
}

// wrapShare adds the operation and the split to an error. It returns nil for nil.
func wrapShare(doing string, split splits.Split, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s partition %s: %w", doing, split, err)
}
