package splitstest

import (
	"testing"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Harness connects the conformance suite with an implementation. Its functions fail the test if
// they cannot do their work. Partition i of a created topic T is the stream T:i. The only partition
// of a plain topic T is the stream T.
type Harness struct {
	// Topic returns the name of a topic that the store does not know.
	Topic func() string
	// Group, Leases and Streams return the implementations under test. Each Group belongs to
	// another process.
	Group   func(topic, group string) splits.Group
	Leases  func(topic, group string) splits.Leases
	Streams func(topic string) splits.Streams

	// SetPartitions creates the topic, or grows it.
	SetPartitions func(topic string, partitions int)
	// Append adds an entry and returns its offset.
	Append func(split splits.Split, fields ...string) splits.Offset
	// TrimTo removes the oldest entries until exactly length are left (XTRIM MAXLEN), Delete one
	// entry (XDEL), Drop the whole stream (DEL).
	TrimTo func(split splits.Split, length int)
	Delete func(split splits.Split, offset splits.Offset)
	Drop   func(split splits.Split)
	// SetWrongType replaces the split's stream by a value of another type.
	SetWrongType func(split splits.Split)
	// Flush removes everything that the store holds for the topic and its groups, as FLUSHALL does.
	Flush func(topic string)

	// Mirror returns the position of the native consumer group that follows the group's commits,
	// and whether there is one. It is nil for stores without a mirror.
	Mirror func(group string, split splits.Split) (splits.Position, bool)
	// ReadMirror reads and does not acknowledge up to n entries with the native consumer group, as a
	// client does that was not stopped. Only stores with a mirror need it.
	ReadMirror func(group string, split splits.Split, n int)
	// DropLease removes the lease and the position of one split, as an eviction of their key does.
	// Only stores with a mirror need it.
	DropLease func(group string, split splits.Split)
	// Adoptions returns the adoptions under test. AddForeignGroup adds a group of another program to a
	// stream, which has delivered everything up to the offset last more than ten minutes ago; the
	// pending entries were not acknowledged. ForeignGroup returns its position and its pending entries,
	// and whether there is such a group. ReadForeign lets its reader read n more entries. All are nil
	// for stores without foreign groups.
	Adoptions       func(topic, group string) splits.Adoptions
	AddForeignGroup func(group string, split splits.Split, last splits.Offset, pending ...splits.Offset)
	ForeignGroup    func(group string, split splits.Split) (last splits.Offset, pending []splits.Offset, ok bool)
	ReadForeign     func(group string, split splits.Split, n int)
	// NoExactCounts is set for stores that do not report how many entries were ever added or which
	// were deleted: they report these counts as unknown.
	NoExactCounts bool
	// Pass lets time pass; nil stands for time.Sleep.
	Pass func(d time.Duration)
}

// Case is one test of the conformance suite.
type Case struct {
	Name string
	Run  func(t *testing.T, h Harness)
}

// Cases returns the conformance suite. Each case needs a Harness of its own. No case starts
// subtests, so a case can run in a bubble of testing/synctest.
func Cases() []Case {
	var all []Case
	parts := [][]scenario{
		leaseScenarios,
		fenceScenarios,
		failingScenarios,
		suspectScenarios,
		startScenarios,
		groupScenarios,
		instanceScenarios,
		planScenarios,
		topicScenarios,
		logScenarios,
		stateScenarios,
		countScenarios,
		adoptionScenarios,
	}
	for _, part := range parts {
		for _, c := range part {
			all = append(all, Case{Name: c.name, Run: func(t *testing.T, h Harness) { c.run(newScene(t, h)) }})
		}
	}
	return all
}

// TestStore runs the conformance suite, its cases in parallel, against the implementations that
// open returns. Every sentence about them in the comments of splits.Group, splits.Leases and
// splits.Streams has a case.
func TestStore(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Run(t, open(t))
		})
	}
}

type scenario struct {
	name string
	run  func(s *scene)
}

// The ttls of the suite. No case depends on a long one ending or on a short one lasting, so a slow
// machine disturbs no case.
const (
	long  = time.Minute
	short = 150 * time.Millisecond
)
