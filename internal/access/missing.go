package access

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

// Missing says what of a topic and its group is not there yet, in words for a log, or nothing if
// all is there. None of it is an error: a reader waits for the topic, and its first beat makes the
// group. What can't be asked is left out.
func Missing(ctx context.Context, client redis.UniversalClient, topic, group string) string {
	described, err := broker.NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	if described.Plain() {
		if there, err := client.Exists(ctx, topic).Result(); err == nil && there == 0 {
			return fmt.Sprintf("topic %s does not exist yet%s; waiting for its first entry", topic, inDatabase(client))
		}
	}
	if fields, err := client.HMGet(ctx, keys.Plan(topic, group), "version").Result(); err == nil && fields[0] == nil {
		return fmt.Sprintf(
			"group %s of topic %s does not exist yet%s: it begins at start_offset",
			group,
			topic,
			inDatabase(client),
		)
	}
	return ""
}

// inDatabase names the database of the client, where it is not the first one: the topic may be in
// another.
func inDatabase(client redis.UniversalClient) string {
	if single, ok := client.(*redis.Client); ok && single.Options().DB != 0 {
		return fmt.Sprintf(" in database %d", single.Options().DB)
	}
	return ""
}
