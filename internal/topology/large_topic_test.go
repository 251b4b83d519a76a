package topology

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	// largePartitions and largeMembers are more than most users will ever have.
	largePartitions = 1000
	largeMembers    = 50
	// largeWithin is how long the members can take to share the partitions evenly, even on a busy
	// machine.
	largeWithin = 10 * time.Minute
)

// largeTopic is a topic with very many partitions. Message n goes to partition n modulo their
// number, in order.
type largeTopic struct {
	*consumers
	client  *redis.Client
	written int
}

// write adds a message to each partition.
func (g *largeTopic) write(t *testing.T) {
	t.Helper()
	pipe := g.client.Pipeline()
	for i := range largePartitions {
		pipe.XAdd(t.Context(), &redis.XAddArgs{
			Stream: "orders:" + strconv.Itoa(i), Values: []string{"body", strconv.Itoa(g.written)},
		})
		g.written++
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
}

// awaitShares waits until the given number of members have all partitions, no member more than one
// more than another.
func (g *largeTopic) awaitShares(t *testing.T, members int) time.Duration {
	t.Helper()
	since, operator := time.Now(), admin.New(g.client)
	shares, unowned := map[string]int{}, 0
	fair := func() bool {
		d, err := operator.DescribeGroup(t.Context(), "orders", "readers")
		if err != nil { // no member has joined yet
			return false
		}
		clear(shares)
		unowned = 0
		for _, p := range d.Partitions {
			if p.Owner == "" {
				unowned++
				continue
			}
			shares[p.Owner]++
		}
		for _, n := range shares {
			if n < largePartitions/members || n > (largePartitions+members-1)/members {
				return false
			}
		}
		return unowned == 0 && len(shares) == members
	}
	if !assert.Eventually(t, fair, largeWithin, 100*time.Millisecond) {
		t.Fatalf(
			"%d members do not share %d partitions evenly: %d have no owner, the shares are %v",
			members,
			largePartitions,
			unowned,
			shares,
		)
	}
	return time.Since(since)
}

// Fifty members share a thousand partitions evenly, and leave one after the other until the last
// one has all partitions. Every partition is always read, in order, and nothing is read twice.
func TestFiftyMembersShareThousandPartitions(t *testing.T) {
	server := redistest.Start(t)
	g := &largeTopic{consumers: newConsumersOf(largePartitions), client: server.Client(t)}
	_, _, err := broker.NewTopics(g.client).Create(t.Context(), "orders", largePartitions)
	require.NoError(t, err)
	d := deployment{fields: "url: " + server.URL(), topic: "orders", partitions: largePartitions}
	g.write(t)
	began := time.Now()
	var stops []func()
	for i := range largeMembers {
		_, stop := g.join(t, fmt.Sprintf("member%02d", i), d)
		stops = append(stops, stop)
	}
	t.Logf("%d members started in %s", largeMembers, time.Since(began).Round(time.Millisecond))
	t.Logf(
		"and have %d partitions each %s later",
		largePartitions/largeMembers,
		g.awaitShares(t, largeMembers).Round(time.Millisecond),
	)
	g.write(t)
	g.await(t, g.written)

	began = time.Now()
	var longest time.Duration
	for i, leave := range stops[1:] {
		leaving := time.Now()
		leave()
		longest = max(longest, time.Since(leaving))
		if i%8 == 0 {
			g.write(t)
			g.await(t, g.written)
		}
	}
	t.Logf(
		"%d members left in %s, none in more than %s",
		largeMembers-1,
		time.Since(began).Round(time.Millisecond),
		longest.Round(time.Millisecond),
	)
	assert.Less(t, longest, 25*time.Second, "a member that leaves hands over and does not wait")
	t.Logf("the last member has all partitions %s later", g.awaitShares(t, 1).Round(time.Millisecond))
	g.write(t)
	g.await(t, g.written)
	assert.Zero(t, g.repeated(), "repeated messages")
}
