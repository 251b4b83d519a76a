package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Seek says where a group is to go on.
type Seek struct {
	Topic, Group string
	// To is what splits.ParseStart reads: earliest, latest, a time, or the ID of the first entry
	// wanted.
	To string
	// Partitions are those that are moved; all if it is empty.
	Partitions []int
	// KeepUnused has the leases kept for ever, as for [LeasesOptions].
	KeepUnused bool
	// DryRun only tells what would be.
	DryRun bool
}

// Sought is a group that was moved, or would be.
type Sought struct {
	Topic  string `json:"stream_name"`
	Group  string `json:"consumer_group"`
	DryRun bool   `json:"dry_run"`
	// New says that nobody has joined the group yet: its first members start where it was moved to.
	New        bool              `json:"new"`
	Partitions []SoughtPartition `json:"partitions"`
}

// SoughtPartition is one partition of a group that was moved, or would be.
type SoughtPartition struct {
	Split splits.Split `json:"split"`
	// Owner held the lease, and has to claim it anew; empty if nobody did.
	Owner string `json:"owner,omitempty"`
	// Before is the offset that was committed, nil if none was; After the one that is now.
	Before *splits.Offset `json:"-"`
	After  splits.Offset  `json:"-"`
	// Lag is the number of entries after After, or an upper bound of it unless LagExact.
	Lag      int64 `json:"lag"`
	LagExact bool  `json:"lag_exact"`
	// Foreign says that the stream has a Redis consumer group of the group's name that rafka did
	// not create: it was left where it is.
	Foreign bool `json:"foreign_redis_group,omitempty"`

	read int64 // of After
}

// SeekGroup moves the committed offsets of a consumer group, which need not exist yet. It is safe
// against live members: each is fenced, drops what it has read ahead, claims its partitions again
// and goes on from the new offset; what it had handed out by then it can't commit. Each partition
// is moved at once, one after the other: after an error that says so, some have been moved, and the
// call can be repeated.
//
// An offset that a partition has not reached becomes its end. The error is a *TopicNotFoundError if
// there is no such topic.
func (a *Admin) SeekGroup(ctx context.Context, s Seek) (Sought, error) {
	for _, err := range []error{keys.ValidateTopic(s.Topic, false), keys.ValidateGroup(s.Group)} {
		if err != nil {
			return Sought{}, err
		}
	}
	sought, err := a.seekGroup(ctx, s)
	if err != nil {
		return Sought{}, fmt.Errorf("seeking in group %s of %s: %w", s.Group, s.Topic, err)
	}
	return sought, nil
}

func (a *Admin) seekGroup(ctx context.Context, s Seek) (Sought, error) {
	now, err := a.now(ctx)
	if err != nil {
		return Sought{}, err
	}
	to, err := splits.ParseStart(s.To, time.UnixMilli(now))
	if err != nil {
		return Sought{}, fmt.Errorf("to: %w", err)
	}
	target, err := a.target(ctx, s.Topic, s.Group)
	if err != nil {
		return Sought{}, err
	}
	if target.kind == "" && target.topic.Plain() {
		if err := a.mustExist(ctx, s.Topic); err != nil {
			return Sought{}, err
		}
	}
	if target.kind == broker.ShareGroup {
		return Sought{}, fmt.Errorf(
			"it is a %s group, which has no offsets: only a %s group can seek",
			broker.ShareGroup,
			broker.ConsumerGroup,
		)
	}
	chosen, err := choose(target.topic, s.Partitions)
	if err != nil {
		return Sought{}, err
	}
	sought := Sought{Topic: s.Topic, Group: s.Group, DryRun: s.DryRun, New: target.kind == ""}
	if sought.Partitions, err = a.seekEach(ctx, s, to, chosen); err != nil {
		return Sought{}, err
	}
	states, err := a.states(ctx, chosen)
	if err != nil {
		return Sought{}, err
	}
	for i := range sought.Partitions {
		p := &sought.Partitions[i]
		lag := states[i].Lag(splits.Position{Offset: p.After, EntriesRead: p.read}, splits.CountUnknown)
		p.Lag, p.LagExact = lag.Entries, lag.Exact
	}
	return sought, nil
}

// seekEach moves the splits, and describes them in their order.
func (a *Admin) seekEach(
	ctx context.Context,
	s Seek,
	to splits.Start,
	chosen []splits.Split,
) ([]SoughtPartition, error) {
	kind, at := broker.StartArgs(to)
	unused := broker.ForgetAfter(s.KeepUnused)
	calls := make([]script.Call, len(chosen))
	for i, split := range chosen {
		calls[i] = seekScript.Call([]string{split.Key, keys.Lease(split.Key, s.Group)},
			s.Group, kind, at, unused, keys.GroupChannel(s.Topic, s.Group), flag(s.DryRun))
	}
	partitions := make([]SoughtPartition, len(chosen))
	err := everyAnswer(calls, script.RunAll(ctx, a.client, calls), chosen, func(i int, words script.Reply) (err error) {
		if partitions[i], err = decodeSought(chosen[i], words); err != nil {
			return script.Unreadable(seekScript, []any(words), err)
		}
		return nil
	})
	return partitions, err
}

// mustExist returns a *TopicNotFoundError if nothing was written to a plain topic.
func (a *Admin) mustExist(ctx context.Context, topic string) error {
	there, err := a.client.Exists(ctx, topic).Result()
	if err == nil && there == 0 {
		return &TopicNotFoundError{Topic: topic}
	}
	return rediserr.Explain(err)
}

// everyAnswer has take decode the answers to calls of which there is one for each split. The error
// is that of the first split that failed, and says how many did.
func everyAnswer(
	calls []script.Call,
	answers []script.Result,
	all []splits.Split,
	take func(i int, words script.Reply) error,
) error {
	var first error
	failed := 0
	for i, answer := range answers {
		words, err := broker.DecodeLease(calls[i].Script, answer)
		if err == nil {
			err = take(i, words)
		}
		if err != nil {
			if failed++; first == nil {
				first = fmt.Errorf("partition %s: %w", all[i], err)
			}
		}
	}
	if failed == 0 || len(all) == 1 {
		return first
	}
	return fmt.Errorf("%w; %d of the %d partitions failed, and the command can be repeated", first, failed, len(all))
}

// flag is how scripts take a choice.
func flag(yes bool) string {
	if yes {
		return "1"
	}
	return ""
}

// decodeSought reads OK offset_before offset read owner mirror.
func decodeSought(split splits.Split, words script.Reply) (p SoughtPartition, err error) {
	p = SoughtPartition{Split: split, Owner: words.Word(4), Foreign: words.Word(5) == "foreign"}
	if text := words.Word(1); text != "" {
		before, err := splits.ParseOffset(text)
		if err == nil { // a damaged one is what a seek mends
			p.Before = &before
		}
	}
	if p.After, err = splits.ParseOffset(words.Word(2)); err != nil {
		return p, err
	}
	p.read, err = words.Signed(3)
	return p, err
}

// choose returns the splits of the given partitions in their order, or all if none are given.
func choose(topic broker.Topic, partitions []int) ([]splits.Split, error) {
	all := topic.Splits()
	if len(partitions) == 0 {
		return all, nil
	}
	var chosen []splits.Split
	for _, p := range slices.Compact(slices.Sorted(slices.Values(partitions))) {
		if p < 0 || p >= len(all) {
			if len(all) == 1 {
				return nil, fmt.Errorf("partition is %d, and the topic has partition 0 alone: set it to 0", p)
			}
			return nil, fmt.Errorf(
				"partition is %d, and the topic has %d: set it to a number from 0 to %d",
				p,
				len(all),
				len(all)-1,
			)
		}
		chosen = append(chosen, all[p])
	}
	return chosen, nil
}
