package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Seek are the arguments of SeekGroup.
type Seek struct {
	Topic, Group string
	// To is the new position, as [splits.ParseStart] takes it: earliest, latest, a time, or the ID
	// of the first entry to read.
	To string
	// Partitions are the partitions to move, all if it is empty.
	Partitions []int
	// KeepUnused keeps the leases forever, see [broker.LeasesOptions].
	KeepUnused bool
	// DryRun changes nothing and only returns the result.
	DryRun bool
}

// SeekResult is the result of SeekGroup.
type SeekResult struct {
	Topic  string `json:"stream_name"`
	Group  string `json:"consumer_group"`
	DryRun bool   `json:"dry_run"`
	// New is true if the group does not exist yet: its first members start at the new position.
	New bool `json:"new"`
	// Type is ShareGroup for a share group, and empty for a consumer group.
	Type       string          `json:"group_type,omitempty"`
	Partitions []SeekPartition `json:"partitions"`
}

// SeekPartition is the result for one partition.
type SeekPartition struct {
	Split splits.Split `json:"split"`
	// Owner is the member that held the lease, and must claim it again; empty if no member did.
	Owner string `json:"owner,omitempty"`
	// Before is the committed offset before the call, nil if there was none; After is the new
	// offset.
	Before *splits.Offset `json:"-"`
	After  splits.Offset  `json:"-"`
	// Lag is the number of entries after After, or an upper bound if LagExact is false.
	Lag      int64 `json:"lag"`
	LagExact bool  `json:"lag_exact"`
	// Share is what only a share group has; nil in a consumer group.
	Share *SoughtShare `json:"share,omitempty"`
	// Foreign is true if the stream has a Redis consumer group of this name that rafka did not
	// create, or that another client reads with. It was not moved.
	Foreign bool `json:"foreign_redis_group,omitempty"`

	read int64 // the number of entries ever added up to After
}

// MarshalJSON writes the partition with its offsets as text, null where there was none.
func (p SeekPartition) MarshalJSON() ([]byte, error) {
	type plain SeekPartition // without this method
	return json.Marshal(struct {
		plain
		Before *string `json:"before"`
		After  *string `json:"after"`
	}{plain(p), offsetText(p.Before), offsetText(&p.After)})
}

// SeekGroup moves a share group to other offsets, and forgets what is pending in it: entries after
// the new offset are delivered again, the others are skipped. The members drop what they have not
// handed out, and acknowledgements of earlier deliveries have no effect.
//
// SeekGroup moves the committed offsets of a consumer group, which does not have to exist. Live
// members are fenced: each member drops the entries that it has read ahead, claims its partitions
// again, and continues from the new offset. It can't commit entries that it handed out before.
//
// Each partition is moved atomically, but the partitions are moved one after the other. After an
// error some partitions can have been moved, and the call can be repeated.
//
// An offset that a partition has not reached becomes the end of the partition. The error is a
// *TopicNotFoundError if the topic does not exist.
func (a *Admin) SeekGroup(ctx context.Context, s Seek) (SeekResult, error) {
	for _, err := range []error{keys.ValidateTopic(s.Topic, false), keys.ValidateGroup(s.Group)} {
		if err != nil {
			return SeekResult{}, err
		}
	}
	result, err := a.seekGroup(ctx, s)
	if err != nil {
		return SeekResult{}, fmt.Errorf("seeking in group %s of %s: %w", s.Group, s.Topic, err)
	}
	return result, nil
}

func (a *Admin) seekGroup(ctx context.Context, s Seek) (SeekResult, error) {
	now, err := a.now(ctx)
	if err != nil {
		return SeekResult{}, err
	}
	to, err := splits.ParseStart(s.To, time.UnixMilli(now))
	if err != nil {
		return SeekResult{}, fmt.Errorf("to: %w", err)
	}
	found, err := a.lookUp(ctx, s.Topic, s.Group)
	if err != nil {
		return SeekResult{}, err
	}
	if found.kind == "" && found.topic.Plain() {
		if err := a.mustExist(ctx, s.Topic); err != nil {
			return SeekResult{}, err
		}
	}
	chosen, err := chosenSplits(found.topic, s.Partitions)
	if err != nil {
		return SeekResult{}, err
	}
	result := SeekResult{Topic: s.Topic, Group: s.Group, DryRun: s.DryRun, New: found.kind == ""}
	if found.kind == broker.Converting {
		return SeekResult{}, errConverting
	}
	seek := a.seekLeases
	if found.kind == broker.ShareGroup {
		result.Type, seek = found.kind, a.seekShares
	}
	if !s.DryRun {
		if err := a.register(ctx, s.Topic, s.Group); err != nil {
			return SeekResult{}, err
		}
	}
	if result.Partitions, err = seek(ctx, s, to, chosen); err != nil {
		return SeekResult{}, err
	}
	states, err := a.states(ctx, chosen)
	if err != nil {
		return SeekResult{}, err
	}
	for i := range result.Partitions {
		p := &result.Partitions[i]
		lag := states[i].Lag(splits.Position{Offset: p.After, EntriesRead: p.read}, splits.CountUnknown)
		p.Lag, p.LagExact = lag.Entries, lag.Exact
	}
	return result, nil
}

// seekLeases moves the splits of a consumer group, and returns the results in their order.
func (a *Admin) seekLeases(
	ctx context.Context,
	s Seek,
	to splits.Start,
	chosen []splits.Split,
) ([]SeekPartition, error) {
	return a.seekBy(ctx, seekScript, keys.Lease, decodeSeek, s, to, chosen)
}

// seekBy moves splits by a script that changes one key of each and removes the failing entries, and
// returns the results in the order of the splits.
func (a *Admin) seekBy(
	ctx context.Context,
	by *script.Script,
	key func(partition, group string) string,
	decode func(splits.Split, script.Reply) (SeekPartition, error),
	s Seek,
	to splits.Start,
	chosen []splits.Split,
) ([]SeekPartition, error) {
	kind, at := broker.StartArgs(to)
	unused := broker.ForgetAfter(s.KeepUnused)
	calls := make([]script.Call, len(chosen))
	for i, split := range chosen {
		calls[i] = by.Call([]string{split.Key, key(split.Key, s.Group), keys.Failing(split.Key, s.Group)},
			s.Group, kind, at, unused, keys.GroupChannel(s.Topic, s.Group), flag(s.DryRun))
	}
	partitions := make([]SeekPartition, len(chosen))
	err := eachReply(calls, script.RunAll(ctx, a.client, calls), chosen, func(i int, words script.Reply) (err error) {
		if partitions[i], err = decode(chosen[i], words); err != nil {
			return script.Unreadable(by, []any(words), err)
		}
		return nil
	})
	return partitions, err
}

// mustExist returns a *TopicNotFoundError if the stream of a plain topic does not exist.
func (a *Admin) mustExist(ctx context.Context, topic string) error {
	there, err := a.client.Exists(ctx, topic).Result()
	if err == nil && there == 0 {
		return &TopicNotFoundError{Topic: topic}
	}
	return rediserr.Explain(err)
}

// eachReply calls decode with the reply of each call, one call per split. It returns the error of
// the first split that failed, with the number of splits that failed.
func eachReply(
	calls []script.Call,
	results []script.Result,
	all []splits.Split,
	decode func(i int, reply script.Reply) error,
) error {
	var first error
	failed := 0
	for i, result := range results {
		reply, err := broker.DecodeLease(calls[i].Script, result)
		if err == nil {
			err = decode(i, reply)
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
	return fmt.Errorf("%w; %d of the %d partitions failed: repeat the command", first, failed, len(all))
}

// flag returns a boolean as scripts take it.
func flag(yes bool) string {
	if yes {
		return "1"
	}
	return ""
}

// decodeSeek decodes OK offset_before offset read owner mirror.
func decodeSeek(split splits.Split, words script.Reply) (p SeekPartition, err error) {
	mirror := words.Word(5)
	p = SeekPartition{Split: split, Owner: words.Word(4), Foreign: mirror == "foreign" || mirror == "shared"}
	if text := words.Word(1); text != "" {
		before, err := splits.ParseOffset(text)
		if err == nil { // a seek replaces a damaged offset
			p.Before = &before
		}
	}
	if p.After, err = splits.ParseOffset(words.Word(2)); err != nil {
		return p, err
	}
	p.read, err = words.Signed(3)
	return p, err
}

// chosenSplits returns the splits of the given partitions in ascending order, or all if none is
// given.
func chosenSplits(topic broker.Topic, partitions []int) ([]splits.Split, error) {
	all := topic.Splits()
	if len(partitions) == 0 {
		return all, nil
	}
	var chosen []splits.Split
	for _, p := range slices.Compact(slices.Sorted(slices.Values(partitions))) {
		if p < 0 || p >= len(all) {
			if len(all) == 1 {
				return nil, fmt.Errorf("partition is %d, and the topic has only partition 0: set it to 0", p)
			}
			return nil, fmt.Errorf(
				"partition is %d, and the topic has %d partitions: set it to a number from 0 to %d",
				p,
				len(all),
				len(all)-1,
			)
		}
		chosen = append(chosen, all[p])
	}
	return chosen, nil
}
