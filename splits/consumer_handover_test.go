package splits_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// A split that moves waits for the batch in flight, if necessary for longer than a session, but not
// forever: a batch that takes longer than DrainFor is delivered again by the next owner.
func TestMovedSplitWaitsForItsBatchUpToDrainFor(t *testing.T) {
	const mayWait = 30 * time.Second
	for work, again := range map[time.Duration]bool{mayWait - time.Second: false, mayWait + time.Minute: true} {
		t.Run(work.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2)
				w.fill(5)
				slow := true
				a := w.join("a", func(c *splits.Config, m *member) {
					c.DrainFor = mayWait
					m.handle = func(b *splits.Batch) {
						if !slow {
							b.Ack()
							return
						}
						m.out.Go(func() { time.Sleep(work); b.Ack() })
					}
				})
				settle(time.Millisecond)
				require.Equal(t, 2*5, a.count())
				slow = false
				b := w.join("b")
				settle(mayWait - 2*time.Second)
				assert.Zero(t, b.Owned(), "the batch is in flight")
				settle(2*time.Second + 250*time.Millisecond)
				assert.Equal(t, 1, b.Owned())
				settle(2 * time.Minute)
				if again {
					assert.Equal(t, 5, b.count())
				} else {
					w.wantOnce(5, a, b)
				}
				assert.Empty(t, append(a.fenced, b.fenced...))
				a.stopGracefully()
			})
		})
	}
}

// If there are more members than splits, the other members wait without errors and take over when
// they are needed: immediately if the owner leaves, and after its session if it dies.
func TestSurplusMembersStandBy(t *testing.T) {
	for name, partitions := range map[string]int{"one partition": 1, "a plain stream": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, partitions)
				members := []*member{w.join("a"), w.join("b"), w.join("c")}
				owner := func() (owner *member, left []*member) {
					for _, m := range members {
						if m.Owned() > 0 {
							require.Nil(t, owner, "two own the split")
							owner = m
							continue
						}
						left = append(left, m)
						require.NoError(t, m.Await(expired(t)), "standing by is no trouble")
						require.Empty(t, m.troubles)
					}
					require.NotNil(t, owner, "nobody owns the split")
					return owner, left
				}
				settle(time.Minute)
				first, left := owner()
				w.fill(3)
				settle(time.Minute)
				assert.Equal(t, 3, first.count())
				first.stopGracefully()
				members = left
				settle(250 * time.Millisecond)
				second, left := owner()
				w.fill(3)
				settle(5 * time.Second)
				assert.Equal(t, 3, second.count())
				second.crash()
				members = left
				settle(ttl + time.Second)
				third, _ := owner()
				w.fill(3)
				settle(time.Second)
				assert.Equal(t, 3, third.count())
			})
		})
	}
}
