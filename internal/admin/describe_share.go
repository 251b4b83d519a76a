package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// The states of a GroupConsumer.
const (
	// ConsumerLive is the state of a consumer that is a live member.
	ConsumerLive = "live"
	// ConsumerDead is the state of a member that ended. Live members take over what is pending at
	// it.
	ConsumerDead = "dead"
	// ConsumerForeign is the state of a consumer that is not a member on this topic: another
	// program, or an input that reads the same stream under another name of the topic.
	ConsumerForeign = "foreign"
)

// GroupConsumer is one consumer of the Redis consumer group that a share group is.
type GroupConsumer struct {
	// Name is the member, or for a static member its incarnation. A foreign consumer has its name
	// in Redis.
	Name string `json:"name"`
	// State is ConsumerLive, ConsumerDead or ConsumerForeign.
	State string `json:"state"`
	// Pending is the number of entries of all partitions that are pending at the consumer.
	Pending int64 `json:"pending"`
}

// SharePartition is what is pending in one partition of a share group.
type SharePartition struct {
	// Pending is the number of entries that were delivered and not acknowledged.
	Pending int64 `json:"pending"`
	// Oldest is the offset of the lowest of them, nil if there is none.
	Oldest *splits.Offset `json:"-"`
	// Deliveries is the highest number of deliveries among the 1,000 lowest of them.
	Deliveries int64 `json:"deliveries"`
}

// MarshalJSON writes the offset as text, null if there is none.
func (p SharePartition) MarshalJSON() ([]byte, error) {
	type plain SharePartition // without this method
	return json.Marshal(struct {
		plain
		Oldest *string `json:"oldest_pending"`
	}{plain(p), offsetText(p.Oldest)})
}

// mostDeliveries is the number of pending entries whose deliveries are looked at.
const mostDeliveries = 1000

// describeShares reads where a share group stands in all splits. Lag is set if Redis knows it.
func (a *Admin) describeShares(
	ctx context.Context,
	d *GroupDescription,
	all []splits.Split,
	damaged *problemList,
) error {
	calls := make([]script.Call, len(all))
	for i, split := range all {
		calls[i] = shareStateScript.Call([]string{split.Key}, d.Group, mostDeliveries)
	}
	live, err := a.liveHolders(ctx, d)
	if err != nil {
		return err
	}
	d.Partitions = make([]GroupPartition, len(all))
	consumers := map[string]*GroupConsumer{}
	for i, result := range script.RunAll(ctx, a.client, calls) {
		p := &d.Partitions[i]
		*p = GroupPartition{
			Split:     all[i],
			Share:     &SharePartition{},
			read:      splits.CountUnknown,
			accounted: splits.CountUnknown,
		}
		words, err := broker.DecodeLease(shareStateScript, result)
		if err == nil && words.Word(1) != "" {
			if err = p.fillShare(words); err == nil {
				err = addConsumers(consumers, words, keys.Consumer(d.Topic, ""), live)
			}
			if err != nil {
				err = script.Unreadable(shareStateScript, result.Value, err)
			}
		}
		p.fail(err, damaged)
	}
	for _, consumer := range consumers {
		d.Consumers = append(d.Consumers, *consumer)
	}
	slices.SortFunc(d.Consumers, func(a, b GroupConsumer) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// liveHolders returns the names at which entries of the live members are pending.
func (a *Admin) liveHolders(ctx context.Context, d *GroupDescription) (map[string]bool, error) {
	live := map[string]bool{}
	if len(d.Members) == 0 {
		return live, nil
	}
	owners := make([]string, len(d.Members))
	for i, member := range d.Members {
		owners[i] = "owner:" + member
	}
	stored := a.client.HMGet(ctx, keys.Plan(d.Topic, d.Group), owners...)
	if stored.Err() != nil {
		return nil, replyError(stored)
	}
	for i, member := range d.Members {
		live[cmp.Or(script.Reply(stored.Val()).Word(i), member)] = true
	}
	return live, nil
}

// fillShare decodes the first words of the reply of share_state: OK last_delivered lag pending
// lowest deliveries.
func (p *GroupPartition) fillShare(words script.Reply) error {
	last, err := splits.ParseOffset(words.Word(1))
	if err != nil {
		return err
	}
	for i, number := range map[int]*int64{2: &p.Lag, 3: &p.Share.Pending, 5: &p.Share.Deliveries} {
		if *number, err = words.Signed(i); err != nil {
			return err
		}
	}
	p.LagExact, p.delivered, p.Committed = p.Lag >= 0, last, &last
	if lowest := words.Word(4); lowest != "" {
		oldest, err := splits.ParseOffset(lowest)
		if err != nil {
			return err
		}
		before := oldest.Prev()
		p.Share.Oldest, p.Committed = &oldest, &before
	}
	return nil
}

// addConsumers adds the consumers in the reply of share_state.
func addConsumers(all map[string]*GroupConsumer, words script.Reply, prefix string, live map[string]bool) error {
	pending := script.Reply(nil)
	if len(words) > 7 {
		pending = script.ReplyOf(words[7])
	}
	for i, name := range words.Words(6) {
		n, err := pending.Signed(i)
		if err != nil {
			return err
		}
		if all[name] == nil {
			member, own := strings.CutPrefix(name, prefix)
			state := ConsumerForeign
			switch {
			case own && live[member]:
				state = ConsumerLive
			case own:
				state = ConsumerDead
			}
			all[name] = &GroupConsumer{Name: member, State: state}
		}
		all[name].Pending += n
	}
	return nil
}

// setShareLag sets the lag by the state of the stream if Redis does not know it.
func (p *GroupPartition) setShareLag(s splits.State) {
	at := splits.Position{Offset: p.delivered, EntriesRead: splits.CountUnknown}
	if !p.LagExact {
		lag := s.Lag(at, splits.CountUnknown)
		p.Lag, p.LagExact = lag.Entries, lag.Exact
	}
	p.reachable = p.delivered.Before(s.Last)
}

// setShareAge sets the age to that of the oldest entry that is pending. The age of an entry that
// was not delivered is set elsewhere.
func (p *GroupPartition) setShareAge(now int64) {
	if p.Share != nil && p.Share.Oldest != nil && p.Share.Oldest.Millis < uint64(now) {
		p.Age = time.Duration(uint64(now)-p.Share.Oldest.Millis) * time.Millisecond
	}
}
