package access

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

// NotCreatedYet returns a line for the log if the topic or its group does not exist yet, "" if both
// exist or if the server does not answer. Neither is an error: a reader waits for the topic, and
// its first heartbeat creates the group.
func NotCreatedYet(ctx context.Context, client redis.UniversalClient, topic, group string) string {
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
			"group %s of topic %s does not exist yet%s: it starts at start_offset",
			group,
			topic,
			inDatabase(client),
		)
	}
	return ""
}

// inDatabase names the database of the client if it is not database 0, because the topic can be in
// another database.
func inDatabase(client redis.UniversalClient) string {
	if single, ok := client.(*redis.Client); ok && single.Options().DB != 0 {
		return fmt.Sprintf(" in database %d", single.Options().DB)
	}
	return ""
}
