package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Adoption are the arguments of AdoptGroup.
type Adoption struct {
	Topic, Group string
	// From is the Redis consumer group that Group continues; empty: the one called Group.
	From string
	// Remove removes the Redis consumer group From when nothing is pending there any more. It has
	// no effect if From is called Group: that Redis consumer group becomes the mirror of Group.
	Remove bool
	// DryRun changes nothing and only returns the result.
	DryRun bool
}

// AdoptResult is the result of AdoptGroup.
type AdoptResult struct {
	Topic      string           `json:"stream_name"`
	Group      string           `json:"consumer_group"`
	From       string           `json:"from"`
	DryRun     bool             `json:"dry_run"`
	Partitions []AdoptPartition `json:"partitions"`
	// Readers are the clients of the servers that wait for entries of some Redis consumer group.
	// Redis does not say of which.
	Readers []string `json:"waiting_readers,omitempty"`
}

// AdoptPartition is the result for one partition.
type AdoptPartition struct {
	Split splits.Split `json:"split"`
	// Offset is the last offset that the Redis consumer group has delivered. The group continues
	// after it, when everything pending has been handed out.
	Offset splits.Offset `json:"-"`
	// Pending is the number of entries that were delivered and not acknowledged, Consumers the
	// number of consumers that have such entries.
	Pending   int64 `json:"pending"`
	Consumers int64 `json:"consumers"`
	// Lag is the number of entries after Offset, or an upper bound if LagExact is false.
	Lag      int64 `json:"lag"`
	LagExact bool  `json:"lag_exact"`
	// Again is true if an earlier call has adopted the partition. This call did not change it.
	Again bool `json:"again,omitempty"`

	read int64 // the number of entries ever added up to Offset
}

// MarshalJSON writes the partition with its offset as text.
func (p AdoptPartition) MarshalJSON() ([]byte, error) {
	type plain AdoptPartition // without this method
	return json.Marshal(struct {
		plain
		Offset *string `json:"offset"`
	}{plain(p), offsetText(&p.Offset)})
}

// AdoptGroup makes a group that has no offsets yet continue where a Redis consumer group of another
// program stands. The entries that are pending there are handed out first, and acknowledged there.
//
// All partitions are checked before anything is changed. Each partition is then changed atomically,
// one after the other: after an error the call can be repeated. The error is a
// *[broker.AdoptionError] if the Redis consumer group does not exist in a partition or was used
// within the last ten minutes, or if the group has offsets already.
func (a *Admin) AdoptGroup(ctx context.Context, adoption Adoption) (AdoptResult, error) {
	if adoption.From == "" {
		adoption.From = adoption.Group
	}
	for _, err := range []error{keys.ValidateTopic(adoption.Topic, false), keys.ValidateGroup(adoption.Group)} {
		if err != nil {
			return AdoptResult{}, err
		}
	}
	result, err := a.adoptGroup(ctx, adoption)
	if err != nil {
		return AdoptResult{}, fmt.Errorf("adopting group %s of %s: %w", adoption.Group, adoption.Topic, err)
	}
	return result, nil
}

func (a *Admin) adoptGroup(ctx context.Context, adoption Adoption) (result AdoptResult, err error) {
	result = AdoptResult{
		Topic: adoption.Topic, Group: adoption.Group, From: adoption.From, DryRun: adoption.DryRun,
	}
	found, err := a.lookUp(ctx, adoption.Topic, adoption.Group)
	if err != nil {
		return result, err
	}
	if found.kind == broker.ShareGroup {
		return result, fmt.Errorf("it is a %s group, which has no offsets: choose another name for the group",
			broker.ShareGroup)
	}
	if found.kind == broker.Converting {
		return result, errConverting
	}
	if found.topic.Plain() {
		if err := a.mustExist(ctx, adoption.Topic); err != nil {
			return result, err
		}
	}
	all := found.topic.Splits()
	// All are checked first: a group must not begin in some partitions only.
	if result.Partitions, err = a.adoptEach(ctx, adoption, all, true); err != nil {
		return result, err
	}
	if !adoption.DryRun {
		if err := a.register(ctx, adoption.Topic, adoption.Group); err != nil {
			return result, err
		}
		if result.Partitions, err = a.adoptEach(ctx, adoption, all, false); err != nil {
			return result, err
		}
	}
	result.Readers = a.waitingReaders(ctx)
	states, err := a.states(ctx, all)
	if err != nil {
		return result, err
	}
	for i := range result.Partitions {
		p := &result.Partitions[i]
		lag := states[i].Lag(splits.Position{Offset: p.Offset, EntriesRead: p.read}, splits.CountUnknown)
		p.Lag, p.LagExact = lag.Entries, lag.Exact
	}
	return result, nil
}

// adoptEach adopts the splits, and returns the results in their order.
func (a *Admin) adoptEach(
	ctx context.Context,
	adoption Adoption,
	all []splits.Split,
	dryRun bool,
) ([]AdoptPartition, error) {
	calls := make([]script.Call, len(all))
	for i, split := range all {
		calls[i] = adoptScript.Call([]string{split.Key, keys.Lease(split.Key, adoption.Group)},
			adoption.Group, adoption.From, flag(adoption.Remove), keys.GroupChannel(adoption.Topic, adoption.Group),
			flag(dryRun))
	}
	partitions := make([]AdoptPartition, len(all))
	err := eachReply(calls, script.RunAll(ctx, a.client, calls), all, func(i int, words script.Reply) (err error) {
		if partitions[i], err = decodeAdopted(all[i], words); err != nil {
			return script.Unreadable(adoptScript, []any(words), err)
		}
		return nil
	})
	return partitions, err
}

// decodeAdopted decodes OK offset read pending consumers again.
func decodeAdopted(split splits.Split, words script.Reply) (p AdoptPartition, err error) {
	p = AdoptPartition{Split: split, Again: words.Word(5) == "1"}
	if p.Offset, err = splits.ParseOffset(words.Word(1)); err != nil {
		return p, err
	}
	for i, number := range []*int64{&p.read, &p.Pending, &p.Consumers} {
		if *number, err = words.Signed(2 + i); err != nil {
			return p, err
		}
	}
	return p, nil
}

// waitingReaders returns the clients that are blocked in XREADGROUP, if the user may list clients.
func (a *Admin) waitingReaders(ctx context.Context) (readers []string) {
	var mu sync.Mutex // masters are asked concurrently
	list := func(ctx context.Context, node *redis.Client) error {
		clients := node.ClientList(ctx).Val() // empty if the user may not list clients
		mu.Lock()
		defer mu.Unlock()
		for line := range strings.Lines(clients) {
			if reader := waitingReader(line); reader != "" {
				readers = append(readers, reader)
			}
		}
		return nil
	}
	switch c := a.client.(type) {
	case *redis.ClusterClient:
		_ = c.ForEachMaster(ctx, list)
	case *redis.Client:
		_ = list(ctx, c)
	}
	return readers
}

// waitingReader returns the address and the name of the client in a line of CLIENT LIST, if the
// client is blocked in XREADGROUP.
func waitingReader(line string) string {
	fields := map[string]string{}
	for word := range strings.FieldsSeq(line) {
		name, value, _ := strings.Cut(word, "=")
		fields[name] = value
	}
	if fields["cmd"] != "xreadgroup" || !strings.Contains(fields["flags"], "b") {
		return ""
	}
	return strings.TrimSpace(fields["addr"] + " " + keys.Visible(fields["name"]))
}
