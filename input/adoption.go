package input

import (
	"context"
	"fmt"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// checkAdoption checks that the Redis consumer groups exist which the group is to continue, if any.
func (s *settings) checkAdoption(ctx context.Context, control config.Client) error {
	if !s.consumer.Start.IsAdopt() {
		return nil
	}
	if err := broker.CheckAdoptable(ctx, control, s.topic, s.group); err != nil {
		return fmt.Errorf("%s is group: %w", fieldStartOffset, err)
	}
	return nil
}

// Adopting logs that a partition begins with what is pending in a Redis consumer group.
func (o *observer) Adopting(s splits.Split, from string) {
	o.log.Infof("Partition %s continues where the Redis consumer group %s stands: what is pending there comes first",
		s, from)
}

// Adopted logs that nothing is pending in a Redis consumer group any more.
func (o *observer) Adopted(s splits.Split, from string) {
	o.log.Infof("Partition %s: nothing is pending in the Redis consumer group %s any more, rafka has taken its place",
		s, from)
}
