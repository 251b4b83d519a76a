package admin

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// GrownTopic is the result of GrowTopic.
type GrownTopic struct {
	broker.Topic
	// Before is the number of partitions before the call. It equals Partitions if nothing changed.
	Before int `json:"partitions_before"`
}

// GrowTopic raises the number of partitions. It changes nothing if the topic has that number
// already. The error is a *TopicNotFoundError if the topic does not exist. A plain topic can't
// grow, and no topic can shrink.
//
// Members of groups read the new partitions from their first entry, whatever their start_offset.
// Outputs use the new partitions after they have read the topic's metadata again. Keys move between
// partitions, so messages of one key before and after the call are read in any order.
func (a *Admin) GrowTopic(ctx context.Context, name string, partitions int) (GrownTopic, error) {
	for _, err := range []error{keys.ValidateTopic(name, false), keys.ValidatePartitions(partitions)} {
		if err != nil {
			return GrownTopic{}, err
		}
	}
	grown, err := a.growTopic(ctx, name, partitions)
	if err != nil {
		return GrownTopic{}, fmt.Errorf("growing topic %s: %w", name, err)
	}
	return grown, nil
}

func (a *Admin) growTopic(ctx context.Context, name string, partitions int) (grown GrownTopic, err error) {
	value, err := growTopicScript.Run(
		ctx,
		a.client,
		[]string{keys.Metadata(name), name},
		partitions,
		keys.TopicChannel(name),
	)
	if err != nil {
		return grown, rediserr.Explain(err)
	}
	reply := script.ReplyOf(value)
	switch reply.Word(0) {
	case "PLAIN":
		if reply.Word(1) == "none" {
			return grown, &TopicNotFoundError{Topic: name}
		}
		return grown, fmt.Errorf(
			"it is a plain %s, which can't get partitions: create another topic with partitions and copy "+
				"the messages to it with a rafka input and output",
			reply.Word(1),
		)
	case "GROWN", "SAME":
		if grown.Before, err = strconv.Atoi(reply.Word(1)); err != nil {
			err = script.Unreadable(growTopicScript, value, err)
		}
	default:
		err = script.Unexpected(growTopicScript, value)
	}
	if err != nil {
		return grown, err
	}
	if grown.Before > partitions {
		return grown, fmt.Errorf(
			"partitions is %d, and it has %d: a topic can't shrink, because its last partitions would not be "+
				"read any more; create another topic with fewer partitions and copy the messages to it with a rafka "+
				"input and output",
			partitions,
			grown.Before,
		)
	}
	grown.Topic, err = a.topics.Describe(ctx, name)
	return grown, err
}
