package input

import (
	"context"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// newShareConsumer returns a member of a share group. keep is true if Redis must keep unused keys.
func newShareConsumer(s *settings, o *observer, all clients, keep bool) consumer {
	options := []broker.GroupOption{broker.KeepUnused(keep)}
	var registry *broker.Registry
	if s.deleteOnAck {
		registry = broker.NewRegistry()
		options = append(options, broker.ReadGroups(registry))
	}
	group := broker.NewShareGroup(all.control, s.topic, s.group, options...)
	shares := broker.NewShares(all.blocking, all.control, broker.SharesOptions{
		Topic: s.topic, Group: s.group, KeepUnused: keep, Registry: registry,
	})
	return splits.NewShareConsumer(splits.ShareConfig{
		Group: group, Shares: shares, FetchGroup: shares.Shard, Node: shares.Node,
		NewName: func(ctx context.Context) (splits.ShareName, error) {
			member, owner, err := memberNames(ctx, s, group)
			return splits.ShareName{Member: member, Owner: owner}, err
		},
		TTL: s.consumer.TTL, Heartbeat: s.consumer.Heartbeat,
		AdoptIdle: s.adoptIdle, DeleteAcknowledged: s.deleteOnAck,
		SampleEvery: s.consumer.SampleEvery, FetchWithin: s.consumer.FetchWithin,
		Start: s.consumer.Start, BatchSize: s.consumer.BatchSize,
		CheckpointLimit: s.consumer.CheckpointLimit, FetchMax: s.consumer.FetchMax,
		SkipNacked: s.consumer.SkipNacked, DeadLetters: s.deadLetters(all.letters), Failures: failures,
		PassOver: s.forOthers,
		Backoff:  func() splits.Backoff { return newBackoff() },
		Observer: o,
		Remedies: splits.Remedies{
			Superseded: supersededRemedy,
			Full:       s.fullRemedy(),
		},
	})
}

// fullRemedy returns what to do if as many messages fail as a member may have in the pipeline.
func (s *settings) fullRemedy() string {
	remedy := "Correct what makes the output reject them, or raise " + fieldCheckpointLimit
	if s.letters == "" {
		remedy += ". To give them up, set " + inLetter(fieldLetterTopic) + "; to skip them, set " + fieldReplayNacks +
			" to false"
	}
	return remedy
}

// checkAccess checks that the topic can be read: see access.CheckReader.
func (s *settings) checkAccess(ctx context.Context, control config.Client) error {
	if s.share {
		return access.CheckSharer(ctx, control, s.topic, s.group)
	}
	return access.CheckReader(ctx, control, s.topic, s.group)
}

// missingOptional returns a warning about missing permissions, if any.
func (s *settings) missingOptional(ctx context.Context, control config.Client) string {
	if s.share {
		return access.MissingOptionalForSharer(ctx, control, s.topic, s.group, s.deleteOnAck)
	}
	return access.MissingOptionalForReader(ctx, control, s.topic, s.group)
}
