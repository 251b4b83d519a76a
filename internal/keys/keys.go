package keys

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This is the one file in which key names are made. The keys that one script touches share a hash tag, so they live in one
// slot of a cluster: those of a topic carry the tag of its name, those of a partition the tag of its stream.
//
//	T:<i>                        stream  partition i of a partitioned topic
//	T                            stream  the only partition of a plain topic
//	rafka:tagged(T):topic        hash    metadata; its presence makes the topic partitioned
//	rafka:tagged(T):plan:G       hash    a group: type, version, plan
//	rafka:tagged(T):members:G    zset    member -> deadline in ms
//	rafka:tagged(P):lease:G      hash    owner, epoch, position of one split
//	rafka:tagged(P):producer:PID string  sequence of one producer
//
// No two of them meet: tagged is injective on valid names, the last part (G, PID) holds no colon and is never "topic",
// and a valid stream_name is never one of rafka's own keys.

// Prefix begins every key and channel that is not a stream.
const Prefix = "rafka:"

// Tagged returns the name with a hash tag in it that puts a key into the slot of the key called
// name. A name that *is* a tag, as "{x}", gets an empty pair of braces, which no valid name holds:
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

// Partition names the stream of partition i of a partitioned topic.
func Partition(topic string, i int) string { return topic + ":" + strconv.Itoa(i) }

// Metadata names the hash of a topic's metadata.
func Metadata(topic string) string { return Prefix + Tagged(topic) + ":topic" }

// Plan names the hash of a group.
func Plan(topic, group string) string {
	return Prefix + Tagged(topic) + ":plan:" + escape(group)
}

// Members names the sorted set of a group's members.
func Members(topic, group string) string {
	return Prefix + Tagged(topic) + ":members:" + escape(group)
}

// Lease names the hash of a group's lease and position on one partition, given by its stream
// key.
func Lease(partition, group string) string {
	return Prefix + Tagged(partition) + ":lease:" + escape(group)
}

// Producer names the string that holds a producer's sequence on one partition, given by its
// stream key.
func Producer(partition, producer string) string {
	return Prefix + Tagged(partition) + ":producer:" + escape(producer)
}

// GroupChannel names the channel on which hints about a group are published. Channels have no slot.
func GroupChannel(topic, group string) string {
	return Prefix + Tagged(topic) + ":wake:" + escape(group)
}

// TopicChannel names the channel on which hints about a topic, to all its groups, are published.
func TopicChannel(topic string) string { return Prefix + Tagged(topic) + ":wake" }

// MetadataPattern matches, for SCAN, every Metadata.
const MetadataPattern = Prefix + "*{*}*:topic"

// PlanPattern matches, for SCAN, every Plan of the topic, or of all topics if it is "".
func PlanPattern(topic string) string {
	if topic == "" {
		return Prefix + "*{*}*:plan:*"
	}
	return Prefix + globEscaper.Replace(Tagged(topic)) + ":plan:*"
}

// OwnPattern matches, for SCAN, all of rafka's own keys of a topic and of its partitions, besides
// those of topics whose names begin alike.
func OwnPattern(topic string) string {
	if !strings.Contains(topic, "{") {
		topic = "{" + topic // and a partition's number stands before the closing brace
	}
	return Prefix + globEscaper.Replace(topic) + "*"
}

// ParseOwned returns whose key it is, a topic or a partition, as tagged writes its name. The
// metadata of a topic are not among the kinds that it knows.
func ParseOwned(key string) (owner, kind string, ok bool) {
	rest, ok := strings.CutPrefix(key, Prefix)
	if !ok {
		return "", "", false
	}
	last := strings.LastIndexByte(rest, ':')
	if last < 0 || rest[last+1:] == "topic" { // metadata, of a topic that may be called like one of the kinds
		return "", "", false
	}
	rest = rest[:last]
	if last = strings.LastIndexByte(rest, ':'); last < 0 {
		return "", "", false
	}
	kind = rest[last+1:]
	return rest[:last], kind, slices.Contains(ownedKinds, kind)
}

// ownedKinds are what ParseOwned knows, those of topics before those of partitions.
var ownedKinds = []string{"plan", "members", "lease", "producer"}

// ParsePartition returns the topic of which a key could be partition i by its name.
func ParsePartition(key string) (topic string, i int, ok bool) {
	last := strings.LastIndexByte(key, ':')
	if last < 0 {
		return "", 0, false
	}
	i, err := strconv.Atoi(key[last+1:])
	return key[:last], i, err == nil && Partition(key[:last], i) == key
}

// Kind says what a key, or a channel, is for.
type Kind string

const (
	KindStream   Kind = "stream" // of a partition
	KindPlain    Kind = "plain"  // the stream of a plain topic, or whatever else has the topic's name
	KindMetadata Kind = "metadata"
	KindPlan     Kind = "plan"
	KindMembers  Kind = "members"
	KindLease    Kind = "lease"
	KindProducer Kind = "producer"
	// KindEvery stands for each key of a script.
	KindEvery Kind = "every"
	// The channels.
	KindGroupChannel Kind = "group-hints"
	KindTopicChannel Kind = "topic-hints"
)

// KindOf tells what a key of ours is for. That of a plain topic is a stream like any other.
func KindOf(key string) Kind {
	if !strings.HasPrefix(key, Prefix) || !strings.Contains(key, "{") {
		return KindStream
	}
	parts := strings.Split(key, ":")
	if parts[len(parts)-1] == "topic" {
		return KindMetadata
	}
	return Kind(parts[len(parts)-2])
}

// Patterns are glob patterns, as ACL SETUSER takes them, of all keys or channels of a kind that
// one topic and group have; "" as the group stands for all groups, and as the topic for all topics.
// partitions is how many the topic has or will have, 0 for as many as there can be.
func Patterns(kind Kind, topic, group string, partitions int) []string {
	if topic == "" {
		return []string{"*"} // a stream may have any name
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
	case KindProducer:
		patterns := []string{Producer(topic, "*")}
		for _, partition := range each {
			patterns = append(patterns, Producer(partition, "*"))
		}
		return patterns
	case KindGroupChannel:
		return []string{GroupChannel(topic, group)}
	case KindTopicChannel:
		return []string{TopicChannel(topic)}
	}
	return nil
}

// partitionPatterns match the keys of partitions, one pattern for each number of digits. A pattern
// that ends in a star, such as orders:[0-9]*, would match the keys of others too:
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

// aclEscaper makes a pattern of a name that matches this name alone, but for spaces, which a
// pattern of an ACL can't have.
var aclEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, ` `, `?`)

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// ParseMetadata returns the topic whose Metadata it is.
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

// ParsePlan returns the topic and the group whose Plan it is.
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

// escape writes a group name as it stands in keys: without colons, which separate the parts of
// a key, and without braces, which would make a hash tag. The name "topic" is escaped too, since it
// would let the key of a plan meet that of metadata. Different names have different forms;
// url.PathUnescape is the way back.
func escape(group string) string {
	if group == "topic" {
		return "%74opic"
	}
	return groupEscaper.Replace(group)
}

// ACLPattern returns a pattern for ACL SETUSER that matches the name.
func ACLPattern(name string) string { return aclEscaper.Replace(name) }
