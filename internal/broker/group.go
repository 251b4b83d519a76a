package broker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// The types of a group: the values of group_type.
const (
	ConsumerGroup = "consumer"
	ShareGroup    = "share"
)

// Converting is the type of a group that rafka group convert has begun to convert: no input joins
// it.
const Converting = "converting"

// unusedTTL is how long Redis keeps an unused lease or group, unless KeepUnused is set.
const unusedTTL = 30 * 24 * time.Hour

// ForgetAfter returns unusedTTL in milliseconds as an argument of scripts, or 0 if Redis keeps
// unused keys forever.
func ForgetAfter(keepUnused bool) int64 {
	if keepUnused {
		return 0
	}
	return script.Millis(unusedTTL)
}

// GroupTypeError is the error of Beat if the group is stored with another type.
type GroupTypeError struct {
	Topic, Group string
	// Want is the type that the caller expects; Stored is the type that Redis stores.
	Want, Stored string
}

// Error names the fields and the remedies.
func (e *GroupTypeError) Error() string {
	if e.Stored == Converting {
		return fmt.Sprintf("consumer_group %q of %q is being converted: wait, or if rafka group convert was "+
			"interrupted, repeat it: %s", e.Group, e.Topic, e.convert())
	}
	return fmt.Sprintf(
		"consumer_group %q of %q is a %s group, and group_type of this input is %s: set group_type to %s, use another "+
			"consumer_group, or convert the group once it has no members: %s",
		e.Group,
		e.Topic,
		e.Stored,
		e.Want,
		e.Stored,
		e.convert(),
	)
}

// convert returns the command that makes the group one of the type that the caller expects.
func (e *GroupTypeError) convert() string {
	return fmt.Sprintf("rafka group convert %s --topic %s --to %s --yes",
		keys.Visible(e.Group), keys.Visible(e.Topic), e.Want)
}

// Group is the membership and the plan of one group of one topic. It implements splits.Group on
// Redis. It is safe for concurrent use and does not close its client.
type Group struct {
	client             redis.UniversalClient
	topic, group, kind string
	keepUnused         bool
	registry           *Registry // nil: the groups of the topic are not wanted

	mu sync.Mutex // never held during I/O
	// known is the largest number of partitions that this Group has received. If the topic loses
	// its metadata, the topic keeps this number.
	known int
	// splits are the splits for the last number of partitions, count. All Views share the slice,
	// and no code changes it.
	splits []splits.Split
	count  int
	// registered is when a heartbeat last found or added the group among the groups of the topic.
	registered time.Time
}

var _ splits.Group = (*Group)(nil)

// GroupOption configures a new Group.
type GroupOption func(*Group)

// KeepUnused makes Redis keep an unused group forever. It is for servers that evict keys with an
// expiry: see Eviction in package access.
func KeepUnused(keep bool) GroupOption { return func(g *Group) { g.keepUnused = keep } }

// ReadGroups makes every heartbeat of a share group update what the registry knows.
func ReadGroups(r *Registry) GroupOption { return func(g *Group) { g.registry = r } }

// NewGroup returns the consumer group of this name on the topic. The client should be the client
// for control requests.
func NewGroup(client redis.UniversalClient, topic, group string, options ...GroupOption) *Group {
	return newGroup(client, topic, group, ConsumerGroup, options)
}

func newGroup(client redis.UniversalClient, topic, group, kind string, options []GroupOption) *Group {
	g := &Group{client: client, topic: topic, group: group, kind: kind}
	for _, apply := range options {
		apply(g)
	}
	return g
}

// Enroll returns the name of a new incarnation of a static member. The new incarnation supersedes
// all incarnations that have sent a heartbeat so far. unique must consist of letters and digits and
// must differ in every call.
func (g *Group) Enroll(ctx context.Context, member, unique string) (owner string, err error) {
	value, err := enrollScript.Run(ctx, g.client, []string{keys.Plan(g.topic, g.group)}, member)
	if err != nil {
		return "", g.wrap("enrolling in", rediserr.Explain(err))
	}
	r := script.ReplyOf(value)
	if r.Word(0) != "OK" {
		return "", g.wrap("enrolling in", script.Unexpected(enrollScript, value))
	}
	number, err := r.Number(1)
	if err != nil {
		return "", g.wrap("enrolling in", script.Unreadable(enrollScript, value, err))
	}
	return splits.Incarnation(member, number, unique), nil
}

// Beat implements splits.Group. The error is a *GroupTypeError if the group is stored with another
// type.
func (g *Group) Beat(ctx context.Context, b splits.Beat) (splits.View, error) {
	value, err := g.heartbeat(ctx, g.heartbeatArgs(b, false))
	if err != nil {
		return splits.View{}, g.wrap("beating in", rediserr.Explain(err))
	}
	r := script.ReplyOf(value)
	switch r.Word(0) {
	case "OK":
		view, err := g.view(r)
		return view, g.wrap("beating in", err)
	case "SUPERSEDED":
		return splits.View{}, &splits.SupersededError{Member: b.Member, By: keys.Visible(r.Word(1))}
	case "TYPE":
		return splits.View{}, &GroupTypeError{Topic: g.topic, Group: g.group, Want: g.kind, Stored: r.Word(1)}
	}
	return splits.View{}, g.wrap("beating in", script.Unexpected(heartbeatScript, value))
}

// view decodes the reply of heartbeat.lua.
func (g *Group) view(r script.Reply) (view splits.View, err error) {
	numbers, err := g.viewNumbers(r)
	if err != nil {
		return splits.View{}, err
	}
	view = splits.View{
		Version: uint64(numbers[0]),
		Planned: uint64(numbers[1]),
		Next:    time.Duration(numbers[2]) * time.Millisecond,
		Splits:  g.splitsOf(int(numbers[3])),
		Initial: int(numbers[4]),
	}
	if view.Version != view.Planned {
		view.Members = r.Words(6)
		slices.Sort(view.Members) // the reply orders members by deadline
	}
	if text := r.Word(7); text != "" {
		view.Plan, err = decodePlan(text, view.Planned)
		if err != nil {
			return splits.View{}, fmt.Errorf(
				"key %s is damaged, remove it with DEL, and the group makes a new plan: %w",
				keys.Plan(g.topic, g.group),
				err,
			)
		}
	}
	return view, nil
}

// viewNumbers decodes the numbers that a reply of heartbeat.lua begins with: version,
// planned_version, next_deadline_ms, partitions and initial.
func (g *Group) viewNumbers(r script.Reply) (numbers [5]int64, err error) {
	for i := range numbers {
		if numbers[i], err = r.Signed(i + 1); err != nil {
			return numbers, script.Unreadable(heartbeatScript, []any(r), err)
		}
	}
	// If the topic has lost its metadata, this is the number that the group has stored.
	if n := numbers[3]; n < 0 || n > keys.MaxPartitions {
		return numbers, DamagedField(
			keys.Plan(g.topic, g.group),
			"partitions",
			r.Word(4),
			"a number up to "+strconv.Itoa(keys.MaxPartitions),
		)
	}
	return numbers, nil
}

// largest returns the largest partition count seen so far.
func (g *Group) largest() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known
}

// splitsOf returns the splits of a topic with count partitions, or of a plain topic if count is 0,
// and remembers the count.
func (g *Group) splitsOf(count int) []splits.Split {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = max(g.known, count)
	if g.splits == nil || g.count != count {
		g.count = count
		g.splits = Topic{Name: g.topic, Partitions: count}.Splits()
	}
	return g.splits
}

// Propose implements splits.Group.
func (g *Group) Propose(ctx context.Context, plan splits.Plan) (bool, error) {
	text, err := encodePlan(plan.Assignments)
	if err != nil {
		return false, g.wrap("encoding a plan for", err)
	}
	value, err := proposeScript.Run(ctx, g.client, []string{keys.Plan(g.topic, g.group)},
		strconv.FormatUint(plan.Version, 10), text, keys.GroupChannel(g.topic, g.group))
	if err != nil {
		return false, g.wrap("proposing a plan for", rediserr.Explain(err))
	}
	switch script.ReplyOf(value).Word(0) {
	case "OK":
		return true, nil
	case "STALE":
		return false, nil
	}
	return false, g.wrap("proposing a plan for", script.Unexpected(proposeScript, value))
}

// Leave implements splits.Group.
func (g *Group) Leave(ctx context.Context, member string) error {
	names := []string{keys.Members(g.topic, g.group), keys.Plan(g.topic, g.group)}
	_, err := leaveScript.Run(ctx, g.client, names, member, keys.GroupChannel(g.topic, g.group))
	return g.wrap("leaving", rediserr.Explain(err))
}

// wrap adds the operation and the group to an error. It returns nil for nil.
func (g *Group) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s group %s of %s: %w", doing, g.group, g.topic, err)
}
