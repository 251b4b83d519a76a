package keys

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// All key names are made in this file. The keys of one script share a hash tag, so they are in one
// cluster slot: the keys of a topic have the tag of its name, the keys of a partition the tag of its
// stream.
//
//	T:<i>                        stream  partition i of a partitioned topic
//	T                            stream  the only partition of a plain topic
//	rafka:tagged(T):topic        hash    metadata; their presence makes the topic partitioned
//	rafka:tagged(T):groups       set     every group of the topic
//	rafka:tagged(T):plan:G       hash    a group: type, version, plan
//	rafka:tagged(T):members:G    zset    member -> deadline in ms
//	rafka:tagged(P):lease:G      hash    owner, epoch, position of one split
//	rafka:tagged(P):failing:G    hash    entries of one split that keep failing
//	rafka:tagged(P):share:G      hash    generation and low-water mark of a share group on one split
//	rafka:tagged(P):producer:PID string  sequence number of one producer
//	rafka:tagged(P):ids          zset    message IDs that were written to one partition, by time
//	rafka:tagged(P):replayed     hash    dead letters of one partition that were replayed -> time in ms
//
// No two names collide: Tagged is injective on valid names, the last part (G, PID) has no colon and is
// never "topic", "groups", "ids" or "replayed", and a valid stream_name is never one of rafka's own keys.

// Prefix begins every key and channel that is not a stream.
const Prefix = "rafka:"

// Tagged returns the name with a hash tag that puts a key into the slot of the key called name. A
// name that is a tag itself, such as "{x}", gets an empty pair of braces, which no valid name has:
// otherwise it would share the keys of the topic "x".
func Tagged(name string) string {
	open := strings.IndexByte(name, '{')
	if open < 0 {
		return "{" + name + "}"
	}
	if open == 0 && strings.IndexByte(name, '}') == len(name)-1 {
		return name + "{}"
	}
	return name
}

// Partition returns the key of the stream of partition i of a partitioned topic.
func Partition(topic string, i int) string { return topic + ":" + strconv.Itoa(i) }

// Metadata returns the key of a topic's metadata, a hash.
func Metadata(topic string) string { return Prefix + Tagged(topic) + ":topic" }

// Groups returns the key of the registry of a topic: a set of the names of its groups.
func Groups(topic string) string { return Prefix + Tagged(topic) + ":" + string(KindGroups) }

// Plan returns the key of a group, a hash.
func Plan(topic, group string) string {
	return Prefix + Tagged(topic) + ":plan:" + escape(group)
}

// Members returns the key of a group's members, a sorted set.
func Members(topic, group string) string {
	return Prefix + Tagged(topic) + ":members:" + escape(group)
}

// Lease returns the key of a group's lease and position on one partition, a hash. The partition is
// given by the key of its stream.
func Lease(partition, group string) string {
	return Prefix + Tagged(partition) + ":lease:" + escape(group)
}

// Failing returns the key of what is stored of the entries of one partition that fail in a group, a
// hash. The partition is given by the key of its stream.
func Failing(partition, group string) string {
	return Prefix + Tagged(partition) + ":failing:" + escape(group)
}

// Share returns the key of what is stored of a share group on one partition, a hash. The partition
// is given by the key of its stream.
func Share(partition, group string) string {
	return Prefix + Tagged(partition) + ":share:" + escape(group)
}

// Consumer returns the name of a member of a share group as a consumer of the native group. It has
// a hash of the topic: partition 0 of topic "orders" and plain topic "orders:0" have the same
// stream, and must not take entries from each other.
func Consumer(topic, member string) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(topic)) // never fails
	return fmt.Sprintf("%s%016x:%s", Prefix, sum.Sum64(), member)
}

// Producer returns the key of a producer's sequence number on one partition, a string. The
// partition is given by the key of its stream.
func Producer(partition, producer string) string {
	return Prefix + Tagged(partition) + ":producer:" + escape(producer)
}

// IDs returns the key of the message IDs that were written to one partition, a sorted set. The
// partition is given by the key of its stream.
func IDs(partition string) string { return Prefix + Tagged(partition) + ":" + string(KindIDs) }

// Replayed returns the key of the marks of the dead letters of one partition that were replayed, a
// hash. The partition is given by the key of its stream.
func Replayed(partition string) string {
	return Prefix + Tagged(partition) + ":" + string(KindReplayed)
}

// GroupChannel returns the channel of the hints to a group. Channels have no slot.
func GroupChannel(topic, group string) string {
	return Prefix + Tagged(topic) + ":wake:" + escape(group)
}

// TopicChannel returns the channel of the hints to all groups of a topic.
func TopicChannel(topic string) string { return Prefix + Tagged(topic) + ":wake" }

// MetadataPattern matches the metadata of all topics, for SCAN.
const MetadataPattern = Prefix + "*{*}*:topic"

// PlanPattern matches the groups of the topic, or of all topics if topic is "", for SCAN.
func PlanPattern(topic string) string {
	if topic == "" {
		return Prefix + "*{*}*:plan:*"
	}
	return Prefix + globEscaper.Replace(Tagged(topic)) + ":plan:*"
}

// OwnPattern matches the keys of a topic and its partitions, except streams, for SCAN. It also
// matches keys of topics whose names have the same prefix, which callers filter out.
func OwnPattern(topic string) string {
	if !strings.Contains(topic, "{") {
		topic = "{" + topic // the number of a partition is before the closing brace
	}
	return Prefix + globEscaper.Replace(topic) + "*"
}

// ParseOwned returns the topic or the partition that owns a key, as [Tagged] returns its name, and
// the kind of the key. It does not know metadata.
func ParseOwned(key string) (owner, kind string, ok bool) {
	rest, ok := strings.CutPrefix(key, Prefix)
	if !ok {
		return "", "", false
	}
	last := strings.LastIndexByte(rest, ':')
	if last < 0 || rest[last+1:] == "topic" { // metadata; the topic can have the name of a kind
		return "", "", false
	}
	if kind = rest[last+1:]; slices.Contains(nameless, kind) {
		return rest[:last], kind, true
	}
	rest = rest[:last]
	if last = strings.LastIndexByte(rest, ':'); last < 0 {
		return "", "", false
	}
	kind = rest[last+1:]
	return rest[:last], kind, slices.Contains(ownedKinds, kind)
}

// ownedKinds are the kinds that ParseOwned knows.
var ownedKinds = []string{"plan", "members", "lease", "failing", "share", "producer"}

// nameless are the kinds of which a topic or a partition has one key. Their keys end in the kind.
var nameless = []string{string(KindGroups), string(KindIDs), string(KindReplayed)}

// ParsePartition returns the topic and the number of the partition whose key has this form.
func ParsePartition(key string) (topic string, i int, ok bool) {
	last := strings.LastIndexByte(key, ':')
	if last < 0 {
		return "", 0, false
	}
	i, err := strconv.Atoi(key[last+1:])
	return key[:last], i, err == nil && Partition(key[:last], i) == key
}

// Kind is the kind of a key or a channel.
type Kind string

// The kinds of keys, and of the channels that carry hints.
const (
	KindStream   Kind = "stream" // of a partition
	KindPlain    Kind = "plain"  // the stream of a plain topic, or another key with the topic's name
	KindMetadata Kind = "metadata"
	KindGroups   Kind = "groups"
	KindPlan     Kind = "plan"
	KindMembers  Kind = "members"
	KindLease    Kind = "lease"
	KindFailing  Kind = "failing"
	KindShare    Kind = "share"
	KindProducer Kind = "producer"
	KindIDs      Kind = "ids"
	KindReplayed Kind = "replayed"
	// KindEvery stands for all keys of a script.
	KindEvery        Kind = "every"
	KindGroupChannel Kind = "group-hints"
	KindTopicChannel Kind = "topic-hints"
)

// KindOf returns the kind of a key of rafka. The key of a plain topic has KindStream.
func KindOf(key string) Kind {
	if !strings.HasPrefix(key, Prefix) || !strings.Contains(key, "{") {
		return KindStream
	}
	parts := strings.Split(key, ":")
	if parts[len(parts)-1] == "topic" {
		return KindMetadata
	}
	if last := parts[len(parts)-1]; slices.Contains(nameless, last) {
		return Kind(last)
	}
	return Kind(parts[len(parts)-2])
}

// ParseMetadata returns the topic that a key of metadata belongs to.
func ParseMetadata(key string) (topic string, ok bool) {
	rest, ok := strings.CutPrefix(key, Prefix)
	if !ok {
		return "", false
	}
	if rest, ok = strings.CutSuffix(rest, ":topic"); !ok {
		return "", false
	}
	topic = untagged(rest)
	return topic, Metadata(topic) == key && ValidateTopic(topic, false) == nil
}

// ParsePlan returns the topic and the group that a key of a group belongs to.
func ParsePlan(key string) (topic, group string, ok bool) {
	rest, ok := strings.CutPrefix(key, Prefix)
	if !ok {
		return "", "", false
	}
	last := strings.LastIndexByte(rest, ':')
	if last < 0 {
		return "", "", false
	}
	tag, ok := strings.CutSuffix(rest[:last], ":plan")
	if !ok {
		return "", "", false
	}
	topic = untagged(tag)
	group, err := url.PathUnescape(rest[last+1:])
	if err != nil {
		return "", "", false
	}
	return topic, group, Plan(topic, group) == key && ValidateTopic(topic, false) == nil &&
		ValidateGroup(group) == nil
}

// untagged undoes tagged.
func untagged(name string) string {
	if plain, ok := strings.CutSuffix(name, "{}"); ok {
		return plain
	}
	if len(name) > 1 && name[0] == '{' && strings.IndexByte(name, '}') == len(name)-1 {
		return name[1 : len(name)-1]
	}
	return name
}

var groupEscaper = strings.NewReplacer("%", "%25", ":", "%3A", "{", "%7B", "}", "%7D")

// escape returns the form of a group's name in keys: without colons, which separate the parts of a
// key, and without braces, which would make a hash tag. The last parts of keys without a name, such
// as "topic", are escaped too, because the key of a plan could be the key of metadata. Different
// names have different forms. url.PathUnescape undoes escape.
func escape(group string) string {
	if group == "topic" || slices.Contains(nameless, group) {
		return fmt.Sprintf("%%%x", group[0]) + group[1:]
	}
	return groupEscaper.Replace(group)
}

// ACLPattern returns a pattern for ACL SETUSER that matches the name.
func ACLPattern(name string) string { return aclEscaper.Replace(name) }
