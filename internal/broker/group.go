package broker

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/splits"
)

// The types of a group, as group_type names them.
const (
	ConsumerGroup = "consumer"
	ShareGroup    = "share"
)

// unusedTTL is for how long a lease or a group that nobody uses is remembered, unless it is kept
// for ever.
const unusedTTL = 30 * 24 * time.Hour

// forgetAfter is how scripts take that, in milliseconds.
func forgetAfter(keepUnused bool) int64 {
	if keepUnused {
		return 0
	}
	return millis(unusedTTL)
}

// GroupTypeError is the answer to a beat of a member whose group is stored with another type.
type GroupTypeError struct {
	Topic, Group string
	// Want is the type of the caller, Stored that of the group.
	Want, Stored string
}

// Error names the field and the ways out.
func (e *GroupTypeError) Error() string {
	return fmt.Sprintf(
		"consumer_group %q of %q is a %s group, and this input joins %s groups only: use another consumer_group, or remove "+
			"that group with rafka group delete once it has no members",
		e.Group,
		e.Topic,
		e.Stored,
		e.Want,
	)
}

// Group is the membership and the plan of one group of one topic: splits.Group on Redis. It is safe
// for concurrent use and does not close its client.
type Group struct {
	client             redis.UniversalClient
	topic, group, kind string
	keepUnused         bool

	mu sync.Mutex // no I/O under it
	// known is the largest number of partitions that was ever seen: a topic that lost its metadata
	// keeps it.
	known int
	// splits are those of the last count; they are shared with every View and never changed.
	splits []splits.Split
	count  int
}

var _ splits.Group = (*Group)(nil)

// GroupOption changes a Group that is being made.
type GroupOption func(*Group)

// KeepUnused has a group that nobody uses kept for ever, for servers that evict keys with an
// expiry: see [Eviction].
func KeepUnused(keep bool) GroupOption { return func(g *Group) { g.keepUnused = keep } }

// NewGroup returns the consumer group of that name on the topic. The client should be the one for
// control requests.
func NewGroup(client redis.UniversalClient, topic, group string, options ...GroupOption) *Group {
	return newGroup(client, topic, group, ConsumerGroup, options)
}

// NewShareGroup is NewGroup for a share group.
func NewShareGroup(client redis.UniversalClient, topic, group string, options ...GroupOption) *Group {
	return newGroup(client, topic, group, ShareGroup, options)
}

func newGroup(client redis.UniversalClient, topic, group, kind string, options []GroupOption) *Group {
	g := &Group{client: client, topic: topic, group: group, kind: kind}
	for _, apply := range options {
		apply(g)
	}
	return g
}

var (
	//go:embed instance.lua
	instanceSrc string
	//go:embed enroll.lua
	enrollSrc string
	//go:embed heartbeat.lua
	heartbeatSrc string
	//go:embed propose.lua
	proposeSrc string
	//go:embed leave.lua
	leaveSrc string

	enrollScript    = newScript("enroll", preludeSrc+instanceSrc+enrollSrc)
	heartbeatScript = newScript("heartbeat", preludeSrc+instanceSrc+heartbeatSrc)
	proposeScript   = newScript("propose", preludeSrc+proposeSrc)
	leaveScript     = newScript("leave", preludeSrc+instanceSrc+leaveSrc)
)

// Enroll makes the name of a new incarnation of a static member: one that supersedes all that have
// beaten so far. The text, of letters and digits, is to be different every time.
func (g *Group) Enroll(ctx context.Context, member, unique string) (owner string, err error) {
	value, err := enrollScript.run(ctx, g.client, []string{planKey(g.topic, g.group)}, member)
	if err != nil {
		return "", g.wrap("enrolling in", Explain(err))
	}
	r := replyOf(value)
	if r.word(0) != "OK" {
		return "", g.wrap("enrolling in", unexpected(enrollScript, value))
	}
	number, err := r.number(1)
	if err != nil {
		return "", g.wrap("enrolling in", unreadable(enrollScript, value, err))
	}
	return splits.Incarnation(member, number, unique), nil
}

// Beat implements splits.Group. The error is a *GroupTypeError if the group is stored with another
// type.
func (g *Group) Beat(ctx context.Context, b splits.Beat) (splits.View, error) {
	value, err := g.heartbeat(ctx, b)
	if err != nil {
		return splits.View{}, g.wrap("beating in", Explain(err))
	}
	r := replyOf(value)
	switch r.word(0) {
	case "OK":
		view, err := g.view(r)
		return view, g.wrap("beating in", err)
	case "SUPERSEDED":
		return splits.View{}, &splits.SupersededError{Member: b.Member, By: Visible(r.word(1))}
	case "TYPE":
		return splits.View{}, &GroupTypeError{Topic: g.topic, Group: g.group, Want: g.kind, Stored: r.word(1)}
	}
	return splits.View{}, g.wrap("beating in", unexpected(heartbeatScript, value))
}

// heartbeat runs the script with the keys that it needs and no others: while their slot moves, a
// cluster refuses a script that names a key which is not there.
func (g *Group) heartbeat(ctx context.Context, b splits.Beat) (any, error) {
	rejoin := 0
	if b.Rejoin {
		rejoin = 1
	}
	args := []any{
		b.Member,
		millis(b.TTL),
		b.Planned,
		g.largest(),
		rejoin,
		g.kind,
		wakeChannel(g.topic, g.group),
		forgetAfter(g.keepUnused),
		b.Owner,
	}
	keys := []string{membersKey(g.topic, g.group), planKey(g.topic, g.group), topicKey(g.topic), g.topic}
	value, err := heartbeatScript.run(ctx, g.client, keys[:3], args...)
	switch {
	case slotMoves(err) && g.largest() == 0:
		metadata, existsErr := g.client.Exists(ctx, topicKey(g.topic)).Result() // a single key is always found
		if existsErr != nil || metadata != 0 {
			return nil, err
		}
		return heartbeatScript.run(ctx, g.client, keys[:2], args...)
	case replyOf(value).word(0) == "STREAM":
		return heartbeatScript.run(ctx, g.client, keys, args...)
	}
	return value, err
}

// view decodes the reply of a heartbeat.
func (g *Group) view(r reply) (view splits.View, err error) {
	var numbers [5]int64
	for i := range numbers {
		if numbers[i], err = r.signed(i + 1); err != nil {
			return splits.View{}, unreadable(heartbeatScript, []any(r), err)
		}
	}
	// the group's own number counts where the topic has lost its metadata
	if n := numbers[3]; n < 0 || n > MaxPartitions {
		return splits.View{}, badField(
			planKey(g.topic, g.group),
			"partitions",
			r.word(4),
			"a number up to "+strconv.Itoa(MaxPartitions),
		)
	}
	view = splits.View{
		Version: uint64(numbers[0]),
		Planned: uint64(numbers[1]),
		Next:    time.Duration(numbers[2]) * time.Millisecond,
		Splits:  g.splitsOf(int(numbers[3])),
		Initial: int(numbers[4]),
	}
	if view.Version != view.Planned {
		view.Members = r.words(6)
		slices.Sort(view.Members) // they come by deadline
	}
	if text := r.word(7); text != "" {
		view.Plan, err = decodePlan(text, view.Planned)
		if err != nil {
			return splits.View{}, fmt.Errorf("key %s is damaged, remove it with DEL to have it planned anew: %w",
				planKey(g.topic, g.group), err)
		}
	}
	return view, nil
}

// largest returns the largest partition count seen so far.
func (g *Group) largest() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known
}

// splitsOf returns the splits of a topic of so many partitions, 0 for a plain one, and remembers
// the count.
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
	value, err := proposeScript.run(ctx, g.client, []string{planKey(g.topic, g.group)},
		strconv.FormatUint(plan.Version, 10), text, wakeChannel(g.topic, g.group))
	if err != nil {
		return false, g.wrap("proposing a plan for", Explain(err))
	}
	switch replyOf(value).word(0) {
	case "OK":
		return true, nil
	case "STALE":
		return false, nil
	}
	return false, g.wrap("proposing a plan for", unexpected(proposeScript, value))
}

// Leave implements splits.Group.
func (g *Group) Leave(ctx context.Context, member string) error {
	keys := []string{membersKey(g.topic, g.group), planKey(g.topic, g.group)}
	_, err := leaveScript.run(ctx, g.client, keys, member, wakeChannel(g.topic, g.group))
	return g.wrap("leaving", Explain(err))
}

// wrap names the group in an error; nil stays nil.
func (g *Group) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s group %s of %s: %w", doing, g.group, g.topic, err)
}

// millis is how scripts take a duration: in whole milliseconds, at least one.
func millis(d time.Duration) int64 { return max(d.Milliseconds(), 1) }
