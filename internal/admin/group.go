package admin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// GroupNotFoundError is the answer for a group that the topic does not have.
type GroupNotFoundError struct{ Topic, Group string }

// Error names the group.
func (e *GroupNotFoundError) Error() string {
	return fmt.Sprintf(
		"topic %q has no group %q: no input with that consumer_group has run in the last 30 days, or it is on another "+
			"server or database",
		e.Topic,
		e.Group,
	)
}

// LagUnknown is the lag of a partition that could not be looked at.
const LagUnknown int64 = -1

// GroupDescription is a group, its members, and how far it has come.
type GroupDescription struct {
	Topic string `json:"stream_name"`
	Group string `json:"consumer_group"`
	// Type is ConsumerGroup or ShareGroup.
	Type string `json:"group_type"`
	// Members are those that are alive, in ascending order.
	Members []string `json:"members"`
	// Version grows with every change of the members or of the number of partitions.
	Version    uint64           `json:"version"`
	Partitions []GroupPartition `json:"partitions"`
}

// GroupPartition is how far a group has come with one partition.
type GroupPartition struct {
	Split splits.Split `json:"split"`
	// Owner holds the lease; it held it last if Expires is 0. Empty: nobody ever did, or it was
	// released.
	Owner string `json:"owner,omitempty"`
	Epoch uint64 `json:"epoch"`
	// Expires is the time that the lease has left unless its owner renews it.
	Expires time.Duration `json:"-"`
	// Committed is the offset up to which everything was acknowledged, nil if none is stored.
	Committed *splits.Offset `json:"-"`
	// Lag is the number of entries after Committed, or an upper bound of it unless LagExact. It is
	// LagUnknown if there is an Error.
	Lag      int64 `json:"lag"`
	LagExact bool  `json:"lag_exact"`
	// Age is that of the first entry after Committed; 0 if there is none or no offset is committed.
	Age time.Duration `json:"-"`
	// Error says why something of the partition can't be told.
	Error string `json:"error,omitempty"`

	read, accounted int64 // of the committed position
	reachable       bool  // the stream has generated an offset behind the committed position
}

// fail notes why something of the partition can't be told. The first reason stays.
func (p *GroupPartition) fail(err error, damaged *problems) {
	damaged.add("partition "+p.Split.String(), err)
	if err != nil && p.Error == "" {
		p.Error = err.Error()
	}
}

// DescribeGroup describes a group. The error is a *GroupNotFoundError if the topic has no such
// group, and a *PartialError if its members or partitions can't be told: the others are described.
// The number of round trips does not depend on that of the partitions.
func (a *Admin) DescribeGroup(ctx context.Context, topic, group string) (GroupDescription, error) {
	for _, err := range []error{keys.ValidateTopic(topic, false), keys.ValidateGroup(group)} {
		if err != nil {
			return GroupDescription{}, err
		}
	}
	d := GroupDescription{Topic: topic, Group: group}
	damaged := problems{doing: fmt.Sprintf("describing group %s of %s: ", group, topic)}
	if err := a.describeGroup(ctx, &d, &damaged); err != nil {
		return GroupDescription{}, fmt.Errorf("%s%w", damaged.doing, err)
	}
	return d, damaged.err()
}

func (a *Admin) describeGroup(ctx context.Context, d *GroupDescription, damaged *problems) error {
	now, err := a.now(ctx)
	if err != nil {
		return err
	}
	topic, err := a.fillGroup(ctx, d, now, damaged)
	if err != nil {
		return err
	}
	all := topic.Splits()
	if d.Partitions, err = a.positions(ctx, d.Group, all, now, damaged); err != nil {
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
		p.setLag(states[i])
	}
	return a.fillAges(ctx, d.Partitions, now, damaged)
}

// fillGroup reads the group's own keys and returns the topic with as many partitions as the group
// knows of.
func (a *Admin) fillGroup(
	ctx context.Context,
	d *GroupDescription,
	now int64,
	damaged *problems,
) (broker.Topic, error) {
	target, err := a.target(ctx, d.Topic, d.Group)
	if err != nil {
		return broker.Topic{}, err
	}
	if d.Type = target.kind; d.Type == "" {
		return broker.Topic{}, &GroupNotFoundError{Topic: d.Topic, Group: d.Group}
	}
	d.Version = target.version
	members := a.client.ZRangeByScore(
		ctx,
		keys.Members(d.Topic, d.Group),
		&redis.ZRangeBy{Min: alive(now), Max: "+inf"},
	)
	d.Members = members.Val()
	slices.Sort(d.Members)
	damaged.add("members", answerOf(members))
	return target.topic, nil
}

// target is a topic and a group of it.
type target struct {
	// topic has as many partitions as the group knows of, should it have lost its metadata.
	topic broker.Topic
	// kind is the type of the group, "" if there is no such group.
	kind    string
	version uint64
}

// target looks up a topic and a group, of which neither need exist.
func (a *Admin) target(ctx context.Context, topic, group string) (t target, err error) {
	if t.topic, err = a.topics.Describe(ctx, topic); err != nil {
		return t, err
	}
	fields := a.client.HMGet(ctx, keys.Plan(topic, group), "group_type", "version", "partitions")
	if fields.Err() != nil {
		return t, answerOf(fields)
	}
	stored := script.Reply(fields.Val())
	if t.kind = stored.Word(0); t.kind == "" {
		return t, nil
	}
	if t.version, err = stored.Number(1); err != nil {
		return t, broker.DamagedField(keys.Plan(topic, group), "version", stored.Word(1), "a number")
	}
	if t.topic.Plain() { // or it has lost its metadata
		t.topic.Partitions, err = strconv.Atoi(stored.Word(2))
		if err != nil || t.topic.Partitions < 0 || t.topic.Partitions > keys.MaxPartitions {
			return t, broker.DamagedField(keys.Plan(topic, group), "partitions", stored.Word(2), "a number")
		}
	}
	return t, nil
}

// positions reads the leases of all splits.
func (a *Admin) positions(
	ctx context.Context,
	group string,
	all []splits.Split,
	now int64,
	damaged *problems,
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
		)
	}
	if err := ask(ctx, pipe); err != nil {
		return nil, err
	}
	partitions := make([]GroupPartition, len(all))
	for i, split := range all {
		p := &partitions[i]
		*p = GroupPartition{Split: split, read: splits.CountUnknown, accounted: splits.CountUnknown}
		err := answerOf(leases[i])
		if err == nil {
			err = p.fill(script.Reply(leases[i].Val()), keys.Lease(split.Key, group), now)
		}
		p.fail(err, damaged)
	}
	return partitions, nil
}

// fill takes over what a lease holds: owner, epoch, expires_ms, offset, read, accounted. A field
// that is not there is 0.
func (p *GroupPartition) fill(stored script.Reply, key string, now int64) error {
	p.Owner = stored.Word(0)
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

// setLag computes the lag in a stream of this state.
func (p *GroupPartition) setLag(s splits.State) {
	lag := splits.Lag{Entries: s.Length, Exact: s.Length == 0} // what the group will read is not decided yet
	if p.Committed != nil {
		lag = s.Lag(splits.Position{Offset: *p.Committed, EntriesRead: p.read}, p.accounted)
	}
	p.Lag, p.LagExact = lag.Entries, lag.Exact
	p.reachable = p.Committed != nil && p.Committed.Before(s.Last)
}

// fillAges asks for the first entry after each committed position that has one.
func (a *Admin) fillAges(ctx context.Context, partitions []GroupPartition, now int64, damaged *problems) error {
	pipe := a.client.Pipeline()
	next := make([]*redis.XMessageSliceCmd, len(partitions))
	for i, p := range partitions {
		if p.Committed != nil && p.Lag != 0 && p.Error == "" {
			next[i] = pipe.XRangeN(ctx, p.Split.Key, "("+p.Committed.String(), "+", 1)
		}
	}
	if err := ask(ctx, pipe); err != nil {
		return err
	}
	for i, found := range next {
		if found == nil {
			continue
		}
		partitions[i].fail(answerOf(found), damaged)
		if len(found.Val()) == 0 {
			if partitions[i].reachable && partitions[i].Error == "" { // all that the bound counted was deleted
				partitions[i].Lag, partitions[i].LagExact = 0, true
			}
			continue
		}
		offset, err := splits.ParseOffset(found.Val()[0].ID)
		if err != nil {
			return err
		}
		if offset.Millis < uint64(now) { // IDs need not be times
			partitions[i].Age = time.Duration(uint64(now)-offset.Millis) * time.Millisecond
		}
	}
	return nil
}
