package access

import (
	"slices"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
)

// ACL says which user of a server rules are wanted for.
type ACL struct {
	Role Role
	// Topic is the stream_name. An admin may have "" for all topics, and then for all keys: any
	// stream can be a topic.
	Topic string
	// Group is the consumer_group of a reader. Others ignore it.
	Group string
	// Partitions is how many the topic has or will have: the patterns then match no number that has
	// more digits. 0 is for as many as there can be.
	Partitions int
	// Minimal leaves out what rafka can do without.
	Minimal bool
	// Creates says that a writer's field partitions is set, so that creating the topic is no
	// option.
	Creates bool
}

// Rules are the rules of ACL SETUSER, for keys, channels and commands in this order, that give a
// user all that the role needs and nothing else. They hold on Redis from 7.0 and Valkey from 7.2
// on. The error names the field that is wrong.
func (a ACL) Rules() ([]string, error) {
	if a.Role != RoleAdmin || a.Topic != "" {
		if err := keys.ValidateTopic(a.Topic, false); err != nil {
			return nil, err
		}
	}
	if a.Role == RoleReader {
		if err := keys.ValidateGroup(a.Group); err != nil {
			return nil, err
		}
	}
	if a.Partitions != 0 {
		if err := keys.ValidatePartitions(a.Partitions); err != nil {
			return nil, err
		}
	}
	return append(a.patterns(), a.commands()...), nil
}

// rights are those of the list that the user is to have.
func (a ACL) rights() []right {
	return slices.DeleteFunc(rightsOf(sendersFor[a.Role]...), func(r right) bool {
		switch need := a.need(r); need {
		case elsewhere:
			return true
		case optional, optionalOnCluster:
			return a.Minimal
		default:
			return false
		}
	})
}

// need is that of the right for this user.
func (a ACL) need(r right) need {
	if a.Role == RoleWriter && r.by == byCreateTopic && r.need == required && !a.Creates {
		return optional // it serves to write metadata back
	}
	return r.need
}

// commands are the rules for commands.
func (a ACL) commands() []string {
	var rules []string
	for _, r := range a.rights() {
		rules = append(rules, "+"+r.name())
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// patterns are the rules for keys and channels. The keys of scripts must be open for reading and
// writing, since a server can't know what a script does with them.
func (a ACL) patterns() []string {
	group := a.Group
	if a.Role != RoleReader {
		group = ""
	}
	read, written, channels := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range a.rights() {
		kind, inScript := r.kind(), slices.Contains(scriptSenders, r.by)
		for _, pattern := range keys.Patterns(kind, a.Topic, group, a.Partitions) {
			if kind == keys.KindGroupChannel || kind == keys.KindTopicChannel {
				channels[pattern] = true
				continue
			}
			writes := r.name() == "unlink"
			written[pattern] = written[pattern] || inScript || writes
			read[pattern] = read[pattern] || inScript || !writes
		}
	}
	var rules []string
	for pattern := range read {
		switch {
		case read[pattern] && written[pattern]:
			rules = append(rules, "~"+pattern)
		case read[pattern]:
			rules = append(rules, "%R~"+pattern)
		default:
			rules = append(rules, "%W~"+pattern)
		}
	}
	for pattern := range channels {
		rules = append(rules, "&"+pattern)
	}
	slices.SortFunc(rules, func(x, y string) int {
		order := "~%&"
		if x[0] != y[0] {
			return strings.IndexByte(order, x[0]) - strings.IndexByte(order, y[0])
		}
		return strings.Compare(x, y)
	})
	return rules
}
