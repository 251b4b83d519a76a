package access

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// CheckPartition makes sure, without writing anything, that records can be appended to one
// partition, as CheckWriter does for the topic.
func CheckPartition(ctx context.Context, client redis.UniversalClient, t appender.Target) error {
	topic := broker.Topic{Name: t.Topic, Partitions: t.Partition + 1}
	if t.Plain {
		topic.Partitions = 0
	}
	split := splits.Split{Topic: t.Topic, Partition: t.Partition, Key: t.Key}
	return firstError(runProbes(ctx, client, []probe{appendProbe(client, topic, split)}))
}
