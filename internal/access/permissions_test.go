package access

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
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

// Without this test, a script's command that is missing in the list would fail in production only.
func TestListedPermissionsMatchTheScripts(t *testing.T) {
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
			used(sendersFor[RoleReader]) || used(sendersFor[RoleSharer]) || used(sendersFor[RoleWriter]) ||
				used(sendersFor[RoleLetters]) || used(sendersFor[RoleAdmin]),
			r.by,
		)
	}
}

// required reports whether the user can't work without the rule.
func (a ACL) required(rule string) bool {
	group := a.Group
	if !a.ofGroup() {
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

// clusterOnly are the rules that are needed on a cluster only.
var clusterOnly = []string{"+asking", "+cluster|slots", "+command"}

// outcome is the first error or warning of a role's stages when the user lacks one rule.
type outcome struct {
	rule    string
	warning string
	err     error
}

// outcomesOf runs the stages of a role once for each of its rules, without that rule.
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
			warning, err := s.try(t.Context(), client)
			require.NoError(t, err)
			require.Empty(t, warning)
			require.Empty(t, l.Server.Denied(t), "the server denied a command although the user has all rules")
		}
		s.prepare(t, l)
		l.As(t, rules, works)
		for i, rule := range rules {
			s.prepare(t, l)
			before := l.Keys(t)
			l.As(t, slices.Delete(slices.Clone(rules), i, i+1), func(client *redis.Client) {
				warning, err := s.try(t.Context(), client)
				o := &outcomes[i]
				o.rule = rule
				if o.err == nil && o.warning == "" {
					o.warning, o.err = warning, err
				}
				if role == RoleAdmin {
					s.prepare(t, l)
				} else {
					assert.Equal(t, before, l.Keys(t), "%s without %s wrote something", role, rule)
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

// If the user lacks any one rule, the error or the warning names the rule and the remedy, and
// nothing is written. When the rule is granted again, the role works again.
func TestEveryMissingPermissionIsNamed(t *testing.T) {
	l := scripttest.StartLimited(t)
	outcomes := map[Role][]outcome{}
	for _, role := range []Role{RoleReader, RoleSharer, RoleWriter, RoleLetters, RoleAdmin} {
		outcomes[role] = outcomesOf(t, l, role)
		for _, o := range outcomes[role] {
			what := string(role) + " without " + o.rule
			switch {
			case acl(role).required(o.rule):
				assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(o.err), "%s: %v", what, o.err)
				assert.True(t, names(o.err, o.rule), "%s: %v", what, o.err)
				assert.ErrorContains(t, o.err, "ACL SETUSER", what)
			case role == RoleAdmin || slices.Contains(clusterOnly, o.rule):
				assert.NoError(t, o.err, what)
				assert.Empty(t, o.warning, what)
			default:
				assert.NoError(t, o.err, what)
				assert.Contains(t, o.warning, " "+o.rule, what)
			}
		}
	}
	assertDocumented(t, outcomes)
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
