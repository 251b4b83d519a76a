package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
)

// ACL describes a user of the server. [ACL.Rules] returns the rules of that user.
type ACL struct {
	Role Role
	// Topic is the stream_name. For an admin, "" stands for all topics, and thereby for all keys,
	// because any stream can be a topic.
	Topic string
	// Group is the consumer_group of a reader or a sharer. Other roles ignore it.
	Group string
	// Partitions is the number of partitions that the topic has or will have. The patterns of keys
	// then match no number with more digits. 0 stands for the largest number possible.
	Partitions int
	// Minimal leaves out optional permissions.
	Minimal bool
	// Creates is true if a writer's field partitions is set, so that the writer must be able to
	// create the topic.
	Creates bool
	// Letters is the topic to which a reader or a sharer writes dead letters; empty if it writes none.
	// Other roles ignore it.
	Letters string
}

// Rules returns the rules for ACL SETUSER, for keys, channels and commands in this order, that give
// a user exactly the permissions of the role. They work on Redis 7.0, Valkey 7.2, and newer. The
// error names the invalid field.
func (a ACL) Rules() ([]string, error) {
	if a.Role != RoleAdmin || a.Topic != "" {
		if err := keys.ValidateTopic(a.Topic, false); err != nil {
			return nil, err
		}
	}
	if a.ofGroup() {
		if err := keys.ValidateGroup(a.Group); err != nil {
			return nil, err
		}
	}
	if a.Partitions != 0 {
		if err := keys.ValidatePartitions(a.Partitions); err != nil {
			return nil, err
		}
	}
	rules := append(a.patterns(), a.commands()...)
	if a.Letters == "" || !a.ofGroup() {
		return rules, nil
	}
	more, err := ACL{Role: RoleLetters, Topic: a.Letters, Minimal: a.Minimal}.Rules()
	if err != nil {
		return nil, fmt.Errorf("dead_letter.%w", err) // the error begins with stream_name
	}
	rules = append(rules, more...)
	slices.SortFunc(rules, compareRules)
	return slices.Compact(rules), nil
}

// compareRules orders rules: keys first, then channels, then commands.
func compareRules(x, y string) int {
	const order = "~%&+"
	if x[0] != y[0] {
		return strings.IndexByte(order, x[0]) - strings.IndexByte(order, y[0])
	}
	return strings.Compare(x, y)
}

// ofGroup reports whether the role belongs to one group.
func (a ACL) ofGroup() bool { return a.Role == RoleReader || a.Role == RoleSharer }

// permissions returns the permissions that the user gets.
func (a ACL) permissions() []permission {
	return slices.DeleteFunc(permissionsOf(sendersFor[a.Role]...), func(p permission) bool {
		switch need := a.need(p); need {
		case notOnRedis:
			return true
		case optional, optionalOnCluster:
			return a.Minimal
		default:
			return false
		}
	})
}

// need returns the need of this user for the permission.
func (a ACL) need(p permission) need {
	if a.Role == RoleWriter && p.by == byCreateTopic && p.need == required && !a.Creates {
		return optional // only to restore lost metadata
	}
	return p.need
}

// commands returns the rules for commands.
func (a ACL) commands() []string {
	var rules []string
	for _, p := range a.permissions() {
		rules = append(rules, "+"+p.name())
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// patterns returns the rules for keys and channels. A user needs to read and to write all keys of
// scripts, because a server does not know what a script does with its keys.
func (a ACL) patterns() []string {
	group := a.Group
	if !a.ofGroup() {
		group = ""
	}
	read, written, channels := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range a.permissions() {
		kind, inScript := p.kind(), p.by == byLetter || slices.Contains(scriptSenders, p.by)
		for _, pattern := range keys.Patterns(kind, a.Topic, group, a.Partitions) {
			if kind == keys.KindGroupChannel || kind == keys.KindTopicChannel {
				channels[pattern] = true
				continue
			}
			writes := p.name() == "unlink" || p.name() == "sadd"
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
	slices.SortFunc(rules, compareRules)
	return rules
}
