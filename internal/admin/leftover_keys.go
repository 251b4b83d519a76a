package admin

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
)

// leftoverKeys are the keys of a topic other than its streams: the keys in the topic's slot, and
// the keys of each partition.
type leftoverKeys struct {
	topic      []string
	partitions []partitionKeys
}

// partitionKeys are the keys of a partition other than its stream.
type partitionKeys struct{ leases, others []string }

func (p partitionKeys) all() []string { return slices.Concat(p.leases, p.others) }

// ofTopics are the kinds that partitions do not have. If the owner of such a key has the name of a
// partition, it is a plain topic of that name.
var ofTopics = []string{string(keys.KindPlan), string(keys.KindMembers), string(keys.KindGroups)}

// leftoverKeysOf returns the keys among the names that belong to the topic.
func leftoverKeysOf(topic broker.Topic, names []string) leftoverKeys {
	all := topic.Splits()
	r := leftoverKeys{partitions: make([]partitionKeys, len(all))}
	partitions := make(map[string]int, len(all))
	for i, split := range all {
		partitions[keys.Tagged(split.Key)] = i
	}
	for _, key := range names {
		owner, kind, ok := keys.ParseOwned(key)
		i, isPartition := partitions[owner]
		switch {
		case key == keys.Metadata(topic.Name), ok && owner == keys.Tagged(topic.Name):
			r.topic = append(r.topic, key)
		case ok && isPartition && kind == string(keys.KindLease):
			r.partitions[i].leases = append(r.partitions[i].leases, key)
		case ok && isPartition && !slices.Contains(ofTopics, kind):
			r.partitions[i].others = append(r.partitions[i].others, key)
		}
	}
	return r
}

func (r leftoverKeys) size() int {
	n := len(r.topic)
	for _, p := range r.partitions {
		n += len(p.all())
	}
	return n
}

// markTTL is how long a mark stays that shows the owner of a lease that its topic was deleted.
// Members read it within their session.
const markTTL = time.Hour

// withoutMarks returns the keys without leases that consist of the mark of an earlier deletion.
func (a *Admin) withoutMarks(ctx context.Context, names []string) []string {
	pipe := a.client.Pipeline()
	leases := map[string]*redis.SliceCmd{}
	for _, key := range names {
		if keys.KindOf(key) == keys.KindLease {
			leases[key] = pipe.HMGet(ctx, key, "epoch", "moved")
		}
	}
	if len(leases) == 0 {
		return names
	}
	_ = exec(ctx, pipe) // each command has its error
	return slices.DeleteFunc(names, func(key string) bool {
		lease := leases[key]
		return lease != nil && lease.Err() == nil && lease.Val()[0] == nil && lease.Val()[1] != nil
	})
}

// unlink deletes the partitions one by one, and then the topic's own keys.
func (a *Admin) unlink(ctx context.Context, topic broker.Topic, r leftoverKeys) error {
	all := topic.Splits()
	calls := make([]script.Call, len(all))
	for i, split := range all {
		names := append([]string{split.Key}, r.partitions[i].all()...)
		calls[i] = deletePartitionScript.Call(names, len(r.partitions[i].leases), script.Millis(markTTL))
	}
	done := func(int, script.Reply) error { return nil }
	if err := eachReply(calls, script.RunAll(ctx, a.client, calls), all, done); err != nil {
		return err
	}
	return replyError(a.client.Unlink(ctx, append([]string{keys.Metadata(topic.Name)}, r.topic...)...))
}
