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

// GrownTopic is what became of a topic that was to grow.
type GrownTopic struct {
	broker.Topic
	// Before is the number of partitions that the topic had: the same as now if it has not grown.
	Before int `json:"partitions_before"`
}

// GrowTopic raises the number of partitions. A topic that has as many already is left as it is. The
// error is a *TopicNotFoundError if there is no such topic; a plain one can't grow, and none can
// shrink.
//
// Members of groups read the new partitions from their first entry, wherever they start. Outputs
// use them once they have looked at the topic again. Keys move between partitions, so what is
// written of one key before and after is read in no particular order.
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
			"it is a plain %s without partitions and stays one: create another topic with partitions and copy "+
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
			"partitions is %d, and it has %d: a topic can't shrink, since nobody would read what the others hold; "+
				"create another topic with fewer and copy the messages to it with a rafka input and output",
			partitions,
			grown.Before,
		)
	}
	grown.Topic, err = a.topics.Describe(ctx, name)
	return grown, err
}
