package access

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// scriptSources returns the sources of all scripts, and of the parts that scripts share, that call
// commands, by their names.
func scriptSources(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../[ab]*/lua/*.lua") // of admin and broker
	require.NoError(t, err)
	sources := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if name := strings.TrimSuffix(filepath.Base(file), ".lua"); strings.Contains(string(text), "redis.") {
			sources[name] = string(text)
		}
	}
	delete(sources, checkScript.Name)
	delete(sources, capabilitiesScript.Name)
	return sources
}

// A command that a script calls and that is not in the list would be missed in production only.
func TestRightsAreThoseThatTheScriptsNeed(t *testing.T) {
	called := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?`)
	sources := scriptSources(t)
	assert.Len(t, scriptSenders, len(sources))
	for sender, src := range sources {
		assert.Contains(t, scriptSenders, sender)
		var want, listed []string
		if strings.Contains(src, "now_ms()") || strings.Contains(src, "now_us()") ||
			strings.Contains(src, "next_number(") {
			want = append(want, "time")
		}
		if strings.Contains(src, "keep(") {
			want = append(want, "persist", "pexpire")
		}
		for _, found := range called.FindAllStringSubmatch(src, -1) {
			name := found[1]
			if slices.Contains(containers, name) {
				name += "|" + found[2]
			}
			want = append(want, strings.ToLower(name))
		}
		for _, r := range permissionsOf(sender) {
			listed = append(listed, r.name())
		}
		slices.Sort(want)
		slices.Sort(listed)
		assert.Equal(t, slices.Compact(want), slices.Compact(listed), sender)
	}
	for _, r := range permissions {
		assert.NotEmpty(t, r.why, r.form)
		used := func(senders []string) bool { return slices.Contains(senders, r.by) }
		assert.True(
			t,
			used(sendersFor[RoleReader]) || used(sendersFor[RoleWriter]) || used(sendersFor[RoleAdmin]),
			r.by,
		)
	}
}

// stage is a server as one role finds it, with a topic that is plain or partitioned, and what the
// role does there.
type stage struct {
	role    Role
	plain   bool
	prepare func(t *testing.T, l scripttest.Limited)
	// try returns what the user lacks that would help, and the error that keeps the role from its
	// work.
	try func(ctx context.Context, client *redis.Client) (lack string, err error)
}

var stages = []stage{
	{RoleReader, false, prepareTopic(2), tryReading},
	{RoleReader, true, prepareTopic(0), tryReading},
	{RoleWriter, false, prepareTopic(-1), tryWriting(2)}, // creates it
	{RoleWriter, true, prepareTopic(0), tryWriting(0)},
	{RoleAdmin, false, prepareTopic(-1), tryCreating},
	{RoleAdmin, false, prepareTopic(2), tryDescribing},
	{RoleAdmin, true, prepareTopic(0), tryDescribing},
	{RoleAdmin, false, prepareUse(2), tryChanging},
	{RoleAdmin, true, prepareUse(0), tryChanging},
}

// prepareUse is prepareTopic, with another group that has no members, with an output that wrote,
// and once with a policy that evicts keys which have an expiry.
func prepareUse(partitions int) func(t *testing.T, l scripttest.Limited) {
	return func(t *testing.T, l scripttest.Limited) {
		t.Helper()
		prepareTopic(partitions)(t, l)
		ctx := t.Context()
		topic, err := broker.NewTopics(l.Admin).Describe(ctx, "orders")
		require.NoError(t, err)
		group := broker.NewGroup(l.Admin, "orders", "gone")
		_, err = group.Beat(ctx, splits.Beat{Member: "m", TTL: testTTL})
		require.NoError(t, err)
		require.NoError(t, group.Leave(ctx, "m"))
		leases := broker.NewLeases(l.Admin, broker.LeasesOptions{Topic: "orders", Group: "gone"})
		for _, split := range topic.Splits() {
			g := leases.Claim(ctx, "m", testTTL, []splits.Claim{{Split: split, Start: splits.Earliest()}})[0]
			require.NoError(t, g.Err)
			require.NoError(t, leases.Release(ctx, []splits.Lease{{Split: split, Member: "m", Epoch: g.Epoch}})[0])
			require.NoError(t, l.Admin.Set(ctx, keys.Producer(split.Key, "p"), "1:1", 0).Err())
		}
		if partitions == 0 {
			require.NoError(t, l.Admin.ConfigSet(ctx, "maxmemory-policy", "volatile-lru").Err())
		}
	}
}

// prepareTopic makes a topic with so many partitions, 0 for a plain one, and a group that has read
// it; none if the number is negative.
func prepareTopic(partitions int) func(t *testing.T, l scripttest.Limited) {
	return func(t *testing.T, l scripttest.Limited) {
		t.Helper()
		ctx := t.Context()
		require.NoError(t, l.Admin.FlushAll(ctx).Err())
		require.NoError(t, l.Admin.ScriptFlush(ctx).Err())
		require.NoError(t, l.Admin.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
		if partitions < 0 {
			return
		}
		topic := broker.Topic{Name: "orders"}
		if partitions > 0 {
			_, _, err := broker.NewTopics(l.Admin).Create(ctx, "orders", partitions)
			require.NoError(t, err)
			topic.Partitions = partitions
		}
		_, err := broker.NewGroup(l.Admin, "orders", "billing").Beat(ctx, splits.Beat{Member: "m", TTL: testTTL})
		require.NoError(t, err)
		leases := broker.NewLeases(l.Admin, broker.LeasesOptions{Topic: "orders", Group: "billing"})
		for _, split := range topic.Splits() {
			require.NoError(
				t,
				leases.Claim(ctx, "m", testTTL, []splits.Claim{{Split: split, Start: splits.Earliest()}})[0].Err,
			)
			require.NoError(
				t,
				l.Admin.XAdd(ctx, &redis.XAddArgs{Stream: split.Key, Values: []string{"body", "x"}}).Err(),
			)
		}
	}
}

func tryReading(ctx context.Context, client *redis.Client) (string, error) {
	err := CheckReader(ctx, client, "orders", "billing")
	return MissingOptionalForReader(ctx, client, "orders", "billing"), err
}

func tryWriting(partitions int) func(ctx context.Context, client *redis.Client) (string, error) {
	return func(ctx context.Context, client *redis.Client) (string, error) {
		err := CheckWriter(ctx, client, "orders", partitions)
		return MissingOptionalForWriter(ctx, client, "orders", true), err
	}
}

func tryChanging(ctx context.Context, client *redis.Client) (string, error) {
	a := admin.New(client)
	errs := make([]error, 5)
	if described, err := broker.NewTopics(client).Describe(ctx, "orders"); err == nil && !described.Plain() {
		_, errs[0] = a.GrowTopic(ctx, "orders", 3)
	}
	keep := QueryEviction(ctx, client).ExpiringKeys
	_, errs[1] = a.SeekGroup(ctx, admin.Seek{Topic: "orders", Group: "billing", To: "earliest", KeepUnused: keep})
	_, errs[2] = a.SeekGroup(ctx, admin.Seek{Topic: "orders", Group: "new", To: "latest", KeepUnused: keep})
	_, errs[3] = a.DeleteGroup(ctx, "orders", "gone", false)
	_, errs[4] = a.DeleteTopic(ctx, admin.TopicDeletion{Topic: "orders", Force: true})
	return "", NameDenied(ctx, client, firstError(errs))
}

func tryCreating(ctx context.Context, client *redis.Client) (string, error) {
	_, _, err := broker.NewTopics(client).Create(ctx, "orders", 2)
	return "", NameDenied(ctx, client, err)
}

func tryDescribing(ctx context.Context, client *redis.Client) (string, error) {
	a := admin.New(client)
	_, topics := a.ListTopics(ctx)
	_, topic := a.DescribeTopic(ctx, "orders")
	_, groups := a.ListGroups(ctx, "orders")
	_, group := a.DescribeGroup(ctx, "orders", "billing")
	return "", firstError([]error{topics, topic, groups, group})
}

// required reports whether the user can't work without the rule.
func (a ACL) required(rule string) bool {
	group := a.Group
	if a.Role != RoleReader {
		group = ""
	}
	_, pattern, isKey := strings.Cut(rule, "~")
	return slices.ContainsFunc(a.permissions(), func(r permission) bool {
		if need := a.need(r); need != required {
			return false
		}
		if isKey {
			return slices.Contains(keys.Patterns(r.kind(), a.Topic, group, a.Partitions), pattern)
		}
		return rule == "+"+r.name()
	})
}

// acl is the user of a role.
func acl(role Role) ACL {
	return ACL{Role: role, Topic: "orders", Group: "billing", Partitions: 10, Creates: true}
}

// clusterOnly are the rules that no single server needs.
var clusterOnly = []string{"+asking", "+cluster|slots", "+command"}

// outcome is what is seen when a rule is missing: the first error at a stage of the role, or what
// is lacking.
type outcome struct {
	rule string
	lack string
	err  error
}

// outcomesOf takes each rule of a role away, one at a time.
func outcomesOf(t *testing.T, l scripttest.Limited, role Role) []outcome {
	t.Helper()
	rules, err := acl(role).Rules()
	require.NoError(t, err)
	outcomes := make([]outcome, len(rules))
	for _, s := range stages {
		if s.role != role {
			continue
		}
		works := func(client *redis.Client) {
			l.Server.Denied(t)
			lack, err := s.try(t.Context(), client)
			require.NoError(t, err)
			require.Empty(t, lack)
			require.Empty(t, l.Server.Denied(t), "the rules are enough")
		}
		s.prepare(t, l)
		l.As(t, rules, works)
		for i, rule := range rules {
			s.prepare(t, l)
			before := l.Keys(t)
			l.As(t, slices.Delete(slices.Clone(rules), i, i+1), func(client *redis.Client) {
				lack, err := s.try(t.Context(), client)
				o := &outcomes[i]
				o.rule = rule
				if o.err == nil && o.lack == "" {
					o.lack, o.err = lack, err
				}
				if role == RoleAdmin {
					s.prepare(t, l)
				} else {
					assert.Equal(t, before, l.Keys(t), "%s %s wrote something", role, rule)
				}
			})
			l.As(t, rules, func(client *redis.Client) {
				_, err := s.try(t.Context(), client)
				assert.NoError(t, err, "%s %s granted again", role, rule)
			})
		}
	}
	return outcomes
}

// Whatever is taken away, the error or the warning names it and the remedy, nothing is written, and
// it works when it is granted again.
func TestEveryRightIsMissedByName(t *testing.T) {
	l := scripttest.StartLimited(t)
	seen := map[Role][]outcome{}
	for _, role := range []Role{RoleReader, RoleWriter, RoleAdmin} {
		seen[role] = outcomesOf(t, l, role)
		for _, o := range seen[role] {
			what := string(role) + " without " + o.rule
			switch {
			case acl(role).required(o.rule):
				assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(o.err), "%s: %v", what, o.err)
				assert.True(t, names(o.err, o.rule), "%s: %v", what, o.err)
				assert.ErrorContains(t, o.err, "ACL SETUSER", what)
			case role == RoleAdmin || slices.Contains(clusterOnly, o.rule):
				assert.NoError(t, o.err, what)
				assert.Empty(t, o.lack, what)
			default:
				assert.NoError(t, o.err, what)
				assert.Contains(t, o.lack, " "+o.rule, what)
			}
		}
	}
	assertDocumented(t, seen)
}

// names reports whether the error names the command, or a key that only the pattern covers.
func names(err error, rule string) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(strings.ReplaceAll(err.Error(), "|", " "))
	if command, ok := strings.CutPrefix(rule, "+"); ok {
		return strings.Contains(text, strings.ReplaceAll(command, "|", " "))
	}
	_, pattern, _ := strings.Cut(rule, "~")
	glob := regexp.QuoteMeta(pattern)
	glob = strings.NewReplacer(`\[0-9\]`, `[0-9]`, `\*`, `[^ ,]+`).Replace(glob)
	return regexp.MustCompile(`[ ~\[]` + glob + `(?:[ ,;:)\]]|$)`).MatchString(err.Error())
}
