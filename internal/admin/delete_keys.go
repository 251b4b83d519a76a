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

// residue is what rafka stores of a topic beside the streams: of the topic, in whose slot it lies,
// and of each of its partitions.
type residue struct {
	topic      []string
	partitions []belongings
}

// belongings are the keys of a partition beside its stream.
type belongings struct{ leases, others []string }

func (b belongings) all() []string { return slices.Concat(b.leases, b.others) }

// residueOf sorts keys by what they belong to, and leaves out those of other topics.
func residueOf(topic broker.Topic, names []string) residue {
	all := topic.Splits()
	r := residue{partitions: make([]belongings, len(all))}
	places := make(map[string]int, len(all))
	for i, split := range all {
		places[keys.Tagged(split.Key)] = i
	}
	for _, key := range names {
		owner, kind, ok := keys.ParseOwned(key)
		i, isPartition := places[owner]
		switch {
		case key == keys.Metadata(topic.Name), ok && owner == keys.Tagged(topic.Name):
			r.topic = append(r.topic, key)
		case ok && isPartition && kind == string(keys.KindLease):
			r.partitions[i].leases = append(r.partitions[i].leases, key)
		case ok && isPartition && kind != string(keys.KindPlan) && kind != string(keys.KindMembers): // which would be those of a plain topic of that name
			r.partitions[i].others = append(r.partitions[i].others, key)
		}
	}
	return r
}

func (r residue) size() int {
	n := len(r.topic)
	for _, p := range r.partitions {
		n += len(p.all())
	}
	return n
}

// markTTL is how long a mark stays that tells the owner of a lease that its topic was deleted.
// Members look within their session.
const markTTL = time.Hour

// withoutMarks returns the keys without leases of which a deletion left nothing but its mark.
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
	_ = send(ctx, pipe) // each command has its error
	return slices.DeleteFunc(names, func(key string) bool {
		lease := leases[key]
		return lease != nil && lease.Err() == nil && lease.Val()[0] == nil && lease.Val()[1] != nil
	})
}

// unlink deletes partition after partition, and what belongs to the topic when they are gone.
func (a *Admin) unlink(ctx context.Context, topic broker.Topic, r residue) error {
	all := topic.Splits()
	calls := make([]script.Call, len(all))
	for i, split := range all {
		names := append([]string{split.Key}, r.partitions[i].all()...)
		calls[i] = deletePartitionScript.Call(names, len(r.partitions[i].leases), script.Millis(markTTL))
	}
	done := func(int, script.Reply) error { return nil }
	if err := everyAnswer(calls, script.RunAll(ctx, a.client, calls), all, done); err != nil {
		return err
	}
	return answerOf(a.client.Unlink(ctx, append([]string{keys.Metadata(topic.Name)}, r.topic...)...))
}
