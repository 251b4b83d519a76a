package broker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// deletion is whether acknowledged entries may be deleted, by what is known of the groups of the
// topic.
type deletion struct {
	read groupsRead
	// refused is why nothing may be deleted, nil if the script decides.
	refused error
}

// The reasons for which entries are not deleted, with the remedies.
var (
	errGroupsUnknown = errors.New("it is not known yet whether other groups read the topic: no heartbeat has read " +
		"its groups")
	errGroupsOld = errors.New("it is not known whether other groups read the topic: no heartbeat has read its groups " +
		"within session_timeout, or the clocks of the servers differ by more than that")
	errGroupGone = errors.New("the stream does not have the group any more, and may be another one")
)

// deletion returns whether entries may be deleted now.
func (s *Shares) deletion() deletion {
	d := deletion{read: s.registry.last()}
	if d.read.at == 0 {
		d.refused = errGroupsUnknown
	} else if others := d.read.others(s.group); len(others) > 0 {
		d.refused = &GroupsReadError{Topic: s.topic, Groups: others}
	}
	return d
}

// addTo adds the arguments 4 and 5 of share_ack.lua.
func (d deletion) addTo(call *script.Call, wanted bool) {
	if !wanted || d.refused != nil {
		call.Add("")
		call.Add("")
		return
	}
	call.Add(d.read.at)
	call.Add(script.Millis(d.read.valid))
}

// kept returns why the entries of an acknowledgement were not deleted, nil if they were. words is
// the reply OK acknowledged why detail.
func (d deletion) kept(split splits.Split, words script.Reply) error {
	if d.refused != nil {
		return d.refused
	}
	switch detail := words.Word(3); words.Word(2) {
	case "":
		return nil
	case "old":
		return errGroupsOld
	case "gone":
		return errGroupGone
	case "group":
		return &NativeGroupError{Stream: split.Key, Group: detail}
	case "rafka":
		return &GroupsReadError{Topic: split.Topic, Groups: []string{detail}}
	default:
		return fmt.Errorf("key %s: %w", split.Key, rediserr.Explain(rediserr.Error(detail)))
	}
}

// GroupsReadError is why acknowledged entries are not deleted: other groups of rafka read the topic.
type GroupsReadError struct {
	Topic  string
	Groups []string // other groups, in ascending order
}

// Error names the groups, at most five of them, and the remedies.
func (e *GroupsReadError) Error() string {
	names := make([]string, min(len(e.Groups), 5))
	for i := range names {
		names[i] = keys.Visible(e.Groups[i])
	}
	who := "consumer_group " + names[0] + " reads"
	if len(names) > 1 {
		who = "the groups " + strings.Join(names, ", ") + " read"
	}
	if more := len(e.Groups) - len(names); more > 0 {
		who = fmt.Sprintf("the groups %s and %d more read", strings.Join(names, ", "), more)
	}
	return fmt.Sprintf(
		"%s topic %s too: delete what is not needed any more with rafka group delete %s --topic %s --yes, "+
			"or set delete_on_ack to false",
		who,
		keys.Visible(e.Topic),
		names[0],
		keys.Visible(e.Topic),
	)
}

// NativeGroupError is why acknowledged entries are not deleted: the stream has another Redis
// consumer group.
type NativeGroupError struct{ Stream, Group string }

// Error names the stream and the group, and the remedies.
func (e *NativeGroupError) Error() string {
	stream, group := keys.Visible(e.Stream), keys.Visible(e.Group)
	return fmt.Sprintf(
		"stream %s has another Redis consumer group, %s: if no program reads with it any more, remove it "+
			"with XGROUP DESTROY %s %s; otherwise set delete_on_ack to false",
		stream,
		group,
		stream,
		group,
	)
}
