package access

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
)

// MissingOptionalForReader returns a warning that names the optional permissions which the user of
// a reader lacks, and the remedy. It returns "" if none is missing, or if the server does not
// answer. Call it after CheckReader has passed.
func MissingOptionalForReader(ctx context.Context, client redis.UniversalClient, topic, group string) string {
	return missingOptionalForGroup(ctx, client, topic, group, readerChecks, onSplit)
}

// MissingOptionalForSharer is MissingOptionalForReader for a share group. deletes is true if the
// group deletes what it has acknowledged.
func MissingOptionalForSharer(
	ctx context.Context,
	client redis.UniversalClient,
	topic, group string,
	deletes bool,
) string {
	senders := onShare
	if deletes {
		senders = slices.Concat(onShare, []string{byShareDelete})
	}
	return missingOptionalForGroup(ctx, client, topic, group, sharerChecks, senders)
}

func missingOptionalForGroup(
	ctx context.Context,
	client redis.UniversalClient,
	topic, group string,
	checksOf func(redis.UniversalClient, broker.Topic, string) []slotCheck,
	senders []string,
) string {
	described, err := broker.NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	checks := checksOf(client, described, group)[:2] // of the group and of one partition
	checks[0].channels = map[keys.Kind]string{
		keys.KindGroupChannel: keys.GroupChannel(topic, group),
		keys.KindTopicChannel: keys.TopicChannel(topic),
	}
	checks[0].permissions = optionalOf(client, slices.Concat(always, onGroup)...)
	checks[1].permissions = optionalOf(client, senders...)
	return missingOptional(ctx, client, checks)
}

// MissingOptionalForWriter is MissingOptionalForReader for a writer. trims is true if the writer
// removes old entries.
func MissingOptionalForWriter(ctx context.Context, client redis.UniversalClient, topic string, trims bool) string {
	described, err := broker.NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	check := appendCheck(client, described, described.Split(0))
	check.noopWrites = nil
	check.channels = map[keys.Kind]string{keys.KindTopicChannel: keys.TopicChannel(topic)}
	senders := slices.Concat(always, []string{byCreateTopic})
	if trims {
		senders = append(senders, byAppend)
	}
	check.permissions = optionalOf(client, senders...)
	return missingOptional(ctx, client, []slotCheck{check})
}

// MissingOptionalForLetters is MissingOptionalForReader for writing dead letters. Call it after
// CheckLetters has passed.
func MissingOptionalForLetters(ctx context.Context, client redis.UniversalClient, topic string) string {
	described, err := broker.NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return ""
	}
	check := letterCheck(client, described, described.Split(0))
	check.noopWrites = nil
	check.permissions = optionalOf(client, slices.Concat(always, onLetter)...)
	return missingOptional(ctx, client, []slotCheck{check})
}

// missingOptional runs the checks and returns the warning about the permissions that are missing.
func missingOptional(ctx context.Context, client redis.UniversalClient, checks []slotCheck) string {
	calls := make([]script.Call, len(checks))
	for i, c := range checks {
		calls[i] = c.call()
	}
	var names, rules []string
	for i, result := range script.RunAll(ctx, client, calls) {
		if result.Err != nil {
			continue
		}
		for _, q := range checks[i].denied(script.ReplyOf(result.Value)) {
			names = append(names, q.permission.title()+" ("+q.permission.why+")")
			rules = append(rules, "+"+q.permission.name())
			if channel, ok := checks[i].channels[q.permission.kind()]; ok {
				rules = append(rules, "&"+keys.ACLPattern(channel))
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Optional permissions are missing: " + strings.Join(unique(names), ", ") +
		"; grant them with ACL SETUSER <username> " + strings.Join(unique(rules), " ")
}
