package access

import (
	goflag "flag" // the package has a function of that name
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
)

const permissionsDoc = "../../docs/reference/permissions.md"

var update = goflag.Bool("update", false, "write the outcomes into "+permissionsDoc)

// assertDocumented compares the tables of the document with the outcomes, or writes them.
func assertDocumented(t *testing.T, outcomes map[Role][]outcome) {
	t.Helper()
	text, err := os.ReadFile(permissionsDoc)
	require.NoError(t, err)
	fresh := string(text)
	for _, role := range []Role{RoleReader, RoleSharer, RoleWriter, RoleLetters, RoleAdmin} {
		rules, err := acl(role).Rules()
		require.NoError(t, err)
		fresh = fill(
			t,
			fresh,
			string(role)+" acl",
			"```\nACL SETUSER <username> on ><password> "+strings.Join(rules, " ")+"\n```\n",
		)
		fresh = fill(t, fresh, string(role)+" table", table(role, outcomes[role]))
	}
	if *update {
		require.NoError(t, os.WriteFile(permissionsDoc, []byte(fresh), 0o644)) //nolint:gosec // the page is public
		return
	}
	stale := fresh != string(text) // a diff of the whole page would be too long
	assert.False(
		t,
		stale,
		"docs/reference/permissions.md is stale: go test ./internal/access -run TestEveryMissingPermission -update",
	)
}

// fill replaces the text between the markers of that name.
func fill(t *testing.T, document, name, text string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- end -->"
	before, rest, found := strings.Cut(document, begin)
	require.True(t, found, "there is no marker %q", begin)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found)
	return before + begin + text + end + after
}

func table(role Role, outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| permission | needed | purpose | without it |\n|---|---|---|---|\n")
	for _, o := range outcomes {
		without := "no message"
		switch {
		case slices.Contains(clusterOnly, o.rule):
			without = clusterOutcomes[o.rule]
		case o.err != nil:
			message, _, _ := strings.Cut(o.err.Error(), " (the user lacks")
			without = "`" + oldWords.Replace(message) + "`"
		case o.warning != "":
			without = "warning"
		}
		need, why := explain(acl(role), o.rule)
		row := []string{"`" + o.rule + "`", need, why, without}
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "|", `\|`)
		}
		fmt.Fprintln(&b, "| "+strings.Join(row, " | ")+" |")
	}
	return b.String()
}

// oldWords translates the errors of newer servers about user ann to the errors of Redis 7.0, which
// the document shows.
var oldWords = strings.NewReplacer(
	"NOPERM User ann has no permissions",
	"NOPERM this user has no permissions",
	"NOPERM No permissions to access a key",
	"NOPERM this user has no permissions to access one of the keys used as arguments",
)

// clusterOutcomes are the outcomes on a cluster; see TestPermissionsThatOnlyAClusterNeeds.
var clusterOutcomes = map[string]string{
	"+cluster|slots": "`NOPERM this user has no permissions to run the 'cluster|slots' command`",
	"+asking":        "`NOPERM the user may not run ASKING`",
	"+command":       "warning",
}

// keyNames describe the kinds of keys.
var keyNames = map[keys.Kind]string{
	keys.KindStream:       "partitions",
	keys.KindPlain:        "the topic itself, if it is plain",
	keys.KindMetadata:     "metadata of the topic",
	keys.KindGroups:       "groups of the topic",
	keys.KindPlan:         "plan of the group",
	keys.KindMembers:      "members of the group",
	keys.KindLease:        "leases and committed offsets",
	keys.KindFailing:      "attempts of entries that keep failing",
	keys.KindShare:        "generation and low-water mark of share groups",
	keys.KindProducer:     "sequence numbers of outputs",
	keys.KindIDs:          "message IDs that were written",
	keys.KindReplayed:     "marks of dead letters that were replayed",
	keys.KindGroupChannel: "notifications to the group",
	keys.KindTopicChannel: "notifications to all groups of the topic",
}

// explain returns whether a rule is needed, and its purpose.
func explain(a ACL, rule string) (need, why string) {
	need = "optional"
	if a.required(rule) {
		need = "yes"
	}
	switch {
	case rule == "+command":
		need = "optional, on a cluster"
	case slices.Contains(clusterOnly, rule):
		need = "on a cluster"
	}
	if pattern, isCommand := strings.CutPrefix(rule, "+"); isCommand {
		var all []string
		for _, r := range a.permissions() {
			if r.name() == pattern {
				all = append(all, r.why)
			}
		}
		return need, strings.Join(unique(all), "; ")
	}
	pattern := regexp.MustCompile(`^[^~&]*[~&]`).ReplaceAllString(rule, "")
	group := a.Group
	if !a.ofGroup() {
		group = ""
	}
	var all []string
	for _, r := range a.permissions() {
		if slices.Contains(keys.Patterns(r.kind(), a.Topic, group, a.Partitions), pattern) {
			all = append(all, keyNames[r.kind()])
		}
	}
	return need, strings.Join(unique(all), "; ")
}
