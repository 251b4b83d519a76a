package splits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A commit can be in flight when the stream turns out to be another one, whose counts are lower. The
// new count must be committed although it is lower than the one that was just stored.
func TestCountsForgottenDuringACommitAreCommittedAgain(t *testing.T) {
	now := time.Now()
	set := newSplitSet(Config{TTL: time.Hour, Now: func() time.Time { return now }}.withDefaults())
	at := pos(40, 40)
	o := set.add(claimedSplit{lease: Lease{TrustedUntil: now.Add(time.Hour)}, at: at})
	o.forgetCounts()
	set.renewed(o.lease, &Commit{Position: at, Accounted: 40}, now.Add(time.Hour))
	o.observe(State{Exists: true, Length: 7, First: pos(200, 0).Offset, Last: pos(206, 0).Offset, EntriesAdded: 7})
	now = now.Add(time.Minute)
	tasks := set.dueTasks()
	require.Len(t, tasks, 1)
	require.NotNil(t, tasks[0].position)
	assert.Zero(t, tasks[0].accounted)
}
