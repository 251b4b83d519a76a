package keys

import (
	"strconv"
	"strings"
)

// Patterns returns the glob patterns, as ACL SETUSER takes them, of all keys or channels of a kind
// that a topic and a group have. The group "" stands for all groups, and the topic "" for all
// topics. partitions is the number of partitions that the topic has or will have, 0 for the largest
// number.
func Patterns(kind Kind, topic, group string, partitions int) []string {
	if topic == "" {
		return []string{"*"} // a stream can have any name
	}
	topic, group = aclEscaper.Replace(topic), aclEscaper.Replace(group)
	if group == "" {
		group = "*"
	}
	each := partitionPatterns(topic, partitions)
	switch kind {
	case KindStream:
		return append([]string{topic}, each...)
	case KindPlain:
		return []string{topic}
	case KindMetadata:
		return []string{Metadata(topic)}
	case KindGroups:
		return []string{Groups(topic)}
	case KindPlan:
		return []string{Plan(topic, group)}
	case KindMembers:
		return []string{Members(topic, group)}
	case KindLease:
		patterns := []string{Lease(topic, group)}
		for _, partition := range each {
			patterns = append(patterns, Lease(partition, group))
		}
		return patterns
	case KindFailing:
		patterns := []string{Failing(topic, group)}
		for _, partition := range each {
			patterns = append(patterns, Failing(partition, group))
		}
		return patterns
	case KindShare:
		patterns := []string{Share(topic, group)}
		for _, partition := range each {
			patterns = append(patterns, Share(partition, group))
		}
		return patterns
	case KindProducer:
		patterns := []string{Producer(topic, "*")}
		for _, partition := range each {
			patterns = append(patterns, Producer(partition, "*"))
		}
		return patterns
	case KindIDs:
		patterns := []string{IDs(topic)}
		for _, partition := range each {
			patterns = append(patterns, IDs(partition))
		}
		return patterns
	case KindReplayed:
		patterns := []string{Replayed(topic)}
		for _, partition := range each {
			patterns = append(patterns, Replayed(partition))
		}
		return patterns
	case KindGroupChannel:
		return []string{GroupChannel(topic, group)}
	case KindTopicChannel:
		return []string{TopicChannel(topic)}
	}
	return nil
}

// partitionPatterns returns patterns for the keys of partitions, one for each number of digits. A
// pattern that ends in a star, such as orders:[0-9]*, would match other keys too, such as
// orders:2024:secret.
func partitionPatterns(topic string, partitions int) []string {
	if partitions < 1 {
		partitions = MaxPartitions
	}
	patterns := []string{topic + ":[0-9]"}
	for digits := 2; digits <= len(strconv.Itoa(partitions-1)); digits++ {
		patterns = append(patterns, topic+":[1-9]"+strings.Repeat("[0-9]", digits-1))
	}
	return patterns
}

// aclEscaper turns a name into a pattern that matches only this name. Spaces become ?, because ACL
// patterns can't have spaces.
var aclEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, ` `, `?`)

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
