package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// GroupNotFoundError is the error for a group that does not exist.
type GroupNotFoundError struct{ Topic, Group string }

// Error names the group.
func (e *GroupNotFoundError) Error() string {
	return fmt.Sprintf(
		"topic %q has no group %q: no input with that consumer_group has run in the last 30 days, or the group is on "+
			"another server or in another database",
		e.Topic,
		e.Group,
	)
}

// LagUnknown is the lag of a partition whose state can't be read.
const LagUnknown int64 = -1

// GroupDescription is a group, its members, and its positions.
type GroupDescription struct {
	Topic string `json:"stream_name"`
	Group string `json:"consumer_group"`
	// Type is ConsumerGroup or ShareGroup.
	Type string `json:"group_type"`
	// Members are the live members, in ascending order.
	Members []string `json:"members"`
	// Consumers are the consumers of a share group, in ascending order; empty for a consumer group.
	Consumers []GroupConsumer `json:"consumers,omitempty"`
	// Version grows with each change of the members or of the number of partitions.
	Version    uint64           `json:"version"`
	Partitions []GroupPartition `json:"partitions"`
}

// GroupPartition is the lease and the position of a group on one partition.
type GroupPartition struct {
	Split splits.Split `json:"split"`
	// Owner is the member that holds the lease, or that held it last if Expires is 0. It is empty
	// if the lease was released or never claimed.
	Owner string `json:"owner,omitempty"`
	Epoch uint64 `json:"epoch"`
	// Expires is the time after which the lease ends, unless its owner renews it.
	Expires time.Duration `json:"-"`
	// Committed is the committed offset, nil if none is stored. In a share group everything up to
	// it was acknowledged.
	Committed *splits.Offset `json:"-"`
	// Share is what only a share group has; nil in a consumer group.
	Share *SharePartition `json:"share,omitempty"`
	// Lag is the number of entries after Committed, or an upper bound if LagExact is false. It is
	// LagUnknown if Error is set. In a share group it is the number of entries that were not
	// delivered: it does not include the pending ones.
	Lag      int64 `json:"lag"`
	LagExact bool  `json:"lag_exact"`
	// Age is the age of the first entry after Committed, in a share group of the oldest pending
	// entry. It is 0 if there is no such entry or no offset.
	Age time.Duration `json:"-"`
	// Adopting is the Redis consumer group of another program whose pending entries come first;
	// empty if there is none.
	Adopting string `json:"adopting,omitempty"`
	// Error is why a part of this description can't be read.
	Error string `json:"error,omitempty"`

	read, accounted int64         // of the committed position
	delivered       splits.Offset // in a share group
	reachable       bool          // the stream has generated an offset after the committed position
}

// MarshalJSON writes the partition with its offset as text, null if there is none, and its
// durations in milliseconds.
func (p GroupPartition) MarshalJSON() ([]byte, error) {
	type plain GroupPartition // without this method
	return json.Marshal(struct {
		plain
		ExpiresMS int64   `json:"expires_ms"`
		Committed *string `json:"committed"`
		AgeMS     int64   `json:"age_ms"`
	}{plain(p), p.Expires.Milliseconds(), offsetText(p.Committed), p.Age.Milliseconds()})
}

// fail adds an error about the partition. Error keeps the first one.
func (p *GroupPartition) fail(err error, damaged *problemList) {
	damaged.add("partition "+p.Split.String(), err)
	if err != nil && p.Error == "" {
		p.Error = err.Error()
	}
}

// DescribeGroup describes a group. The error is a *GroupNotFoundError if the group does not exist.
// If its members or some partitions can't be read, it describes the rest and returns a
// *PartialError. The number of round trips does not depend on the number of partitions.
func (a *Admin) DescribeGroup(ctx context.Context, topic, group string) (GroupDescription, error) {
	for _, err := range []error{keys.ValidateTopic(topic, false), keys.ValidateGroup(group)} {
		if err != nil {
			return GroupDescription{}, err
		}
	}
	d := GroupDescription{Topic: topic, Group: group}
	damaged := problemList{doing: fmt.Sprintf("describing group %s of %s: ", group, topic)}
	if err := a.describeGroup(ctx, &d, &damaged); err != nil {
		return GroupDescription{}, fmt.Errorf("%s%w", damaged.doing, err)
	}
	return d, damaged.err()
}

func (a *Admin) describeGroup(ctx context.Context, d *GroupDescription, damaged *problemList) error {
	now, err := a.now(ctx)
	if err != nil {
		return err
	}
	topic, err := a.fillGroup(ctx, d, now, damaged)
	if err != nil {
		return err
	}
	all := topic.Splits()
	if d.Type == broker.ShareGroup {
		err = a.describeShares(ctx, d, all, damaged)
	} else {
		d.Partitions, err = a.positions(ctx, d.Group, all, now, damaged)
	}
	if err != nil {
		return err
	}
	states, err := a.log.State(ctx, all)
	if err != nil {
		return err
	}
	for i := range d.Partitions {
		p := &d.Partitions[i]
		if p.fail(states[i].Err, damaged); p.Error != "" {
			p.Lag = LagUnknown
			continue
		}
		if p.Share == nil {
			p.setLag(states[i])
			continue
		}
		p.setShareLag(states[i])
		p.setShareAge(now)
	}
	return a.fillAges(ctx, d.Partitions, now, damaged)
}

// fillGroup reads the group's keys. It returns the topic with the number of partitions that the
// group has seen.
func (a *Admin) fillGroup(
	ctx context.Context,
	d *GroupDescription,
	now int64,
	damaged *problemList,
) (broker.Topic, error) {
	found, err := a.lookUp(ctx, d.Topic, d.Group)
	if err != nil {
		return broker.Topic{}, err
	}
	if d.Type = found.kind; d.Type == "" {
		return broker.Topic{}, &GroupNotFoundError{Topic: d.Topic, Group: d.Group}
	}
	d.Version = found.version
	members := a.client.ZRangeByScore(
		ctx,
		keys.Members(d.Topic, d.Group),
		&redis.ZRangeBy{Min: alive(now), Max: "+inf"},
	)
	d.Members = members.Val()
	slices.Sort(d.Members)
	damaged.add("members", replyError(members))
	return found.topic, nil
}

// positions returns the leases of all splits.
func (a *Admin) positions(
	ctx context.Context,
	group string,
	all []splits.Split,
	now int64,
	damaged *problemList,
) ([]GroupPartition, error) {
	pipe := a.client.Pipeline()
	leases := make([]*redis.SliceCmd, len(all))
	for i, split := range all {
		leases[i] = pipe.HMGet(
			ctx,
			keys.Lease(split.Key, group),
			"owner",
			"epoch",
			"expires_ms",
			"offset",
			"read",
			"accounted",
			"adopting",
		)
	}
	if err := execEach(ctx, pipe); err != nil {
		return nil, err
	}
	partitions := make([]GroupPartition, len(all))
	for i, split := range all {
		p := &partitions[i]
		*p = GroupPartition{Split: split, read: splits.CountUnknown, accounted: splits.CountUnknown}
		err := replyError(leases[i])
		if err == nil {
			err = p.fill(script.Reply(leases[i].Val()), keys.Lease(split.Key, group), now)
		}
		p.fail(err, damaged)
	}
	return partitions, nil
}

// fill decodes the fields of a lease: owner, epoch, expires_ms, offset, read, accounted, adopting.
// Missing fields are 0.
func (p *GroupPartition) fill(stored script.Reply, key string, now int64) error {
	p.Owner, p.Adopting = stored.Word(0), stored.Word(6)
	p.Epoch, _ = stored.Number(1)
	if expires, err := stored.Signed(2); err == nil {
		p.Expires = max(0, time.Duration(expires-now)*time.Millisecond)
	}
	if read, err := stored.Signed(4); err == nil {
		p.read = read
	}
	if accounted, err := stored.Signed(5); err == nil {
		p.accounted = accounted
	}
	text := stored.Word(3)
	if text == "" {
		return nil
	}
	committed, err := splits.ParseOffset(text)
	if err != nil {
		return broker.DamagedField(key, "offset", text, "a stream ID")
	}
	p.Committed = &committed
	return nil
}

// setLag sets the lag by the state of the stream.
func (p *GroupPartition) setLag(s splits.State) {
	lag := splits.Lag{Entries: s.Length, Exact: s.Length == 0} // the group has no position yet
	if p.Committed != nil {
		lag = s.Lag(splits.Position{Offset: *p.Committed, EntriesRead: p.read}, p.accounted)
	}
	p.Lag, p.LagExact = lag.Entries, lag.Exact
	p.reachable = p.Committed != nil && p.Committed.Before(s.Last)
}

// fillAges reads the first entry after each committed position, and sets the ages.
func (a *Admin) fillAges(ctx context.Context, partitions []GroupPartition, now int64, damaged *problemList) error {
	pipe := a.client.Pipeline()
	next := make([]*redis.XMessageSliceCmd, len(partitions))
	for i, p := range partitions {
		if p.Committed != nil && p.Lag != 0 && p.Error == "" && (p.Share == nil || p.Share.Oldest == nil) {
			next[i] = pipe.XRangeN(ctx, p.Split.Key, "("+p.Committed.String(), "+", 1)
		}
	}
	if err := execEach(ctx, pipe); err != nil {
		return err
	}
	for i, found := range next {
		if found == nil {
			continue
		}
		partitions[i].fail(replyError(found), damaged)
		if len(found.Val()) == 0 {
			if partitions[i].reachable && partitions[i].Error == "" { // the entries that the bound counted were deleted
				partitions[i].Lag, partitions[i].LagExact = 0, true
			}
			continue
		}
		offset, err := splits.ParseOffset(found.Val()[0].ID)
		if err != nil {
			return err
		}
		if offset.Millis < uint64(now) { // IDs can be other numbers than times
			partitions[i].Age = time.Duration(uint64(now)-offset.Millis) * time.Millisecond
		}
	}
	return nil
}

// offsetText returns an offset as JSON has it, nil if there is none.
func offsetText(o *splits.Offset) *string {
	if o == nil {
		return nil
	}
	text := o.String()
	return &text
}
