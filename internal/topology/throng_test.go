package topology

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	// throngPartitions and throngMembers are more than most will ever have.
	throngPartitions = 1000
	throngMembers    = 50
	// throngWithin is how long it may take until everybody has a fair share, even on a machine that
	// has other things to do.
	throngWithin = 10 * time.Minute
)

// throng is a topic of very many partitions. Message n goes to partition n modulo their number,
// where it is in order.
type throng struct {
	*crowd
	client  *redis.Client
	written int
}

// write adds a message to each partition.
func (g *throng) write(t *testing.T) {
	t.Helper()
	pipe := g.client.Pipeline()
	for i := range throngPartitions {
		pipe.XAdd(t.Context(), &redis.XAddArgs{
			Stream: "orders:" + strconv.Itoa(i), Values: []string{"body", strconv.Itoa(g.written)},
		})
		g.written++
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
}

// awaitShares waits until so many members have all partitions, none of them more than one more than
// another.
func (g *throng) awaitShares(t *testing.T, members int) time.Duration {
	t.Helper()
	since, admin := time.Now(), broker.NewAdmin(g.client)
	shares, unowned := map[string]int{}, 0
	fair := func() bool {
		d, err := admin.DescribeGroup(t.Context(), "orders", "crowd")
		if err != nil { // nobody has joined it yet
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
			if n < throngPartitions/members || n > (throngPartitions+members-1)/members {
				return false
			}
		}
		return unowned == 0 && len(shares) == members
	}
	if !assert.Eventually(t, fair, throngWithin, 100*time.Millisecond) {
		t.Fatalf(
			"%d members do not share %d partitions fairly: %d have no owner, the others are %v",
			members,
			throngPartitions,
			unowned,
			shares,
		)
	}
	return time.Since(since)
}

// Fifty members share a thousand partitions evenly, and leave one by one until one of them has them
// all. Every partition is read all the time, in order, and nothing twice.
func TestThousandPartitionsAreSharedByFiftyMembers(t *testing.T) {
	server := redistest.Start(t)
	g := &throng{crowd: newCrowdOf(throngPartitions), client: server.Client(t)}
	_, _, err := broker.NewTopics(g.client).Create(t.Context(), "orders", throngPartitions)
	require.NoError(t, err)
	d := deployment{fields: "url: " + server.URL(), topic: "orders", partitions: throngPartitions}
	g.write(t)
	began := time.Now()
	var stops []func()
	for i := range throngMembers {
		_, stop := g.join(t, fmt.Sprintf("member%02d", i), d)
		stops = append(stops, stop)
	}
	t.Logf("%d members started in %s", throngMembers, time.Since(began).Round(time.Millisecond))
	t.Logf(
		"and have %d partitions each %s later",
		throngPartitions/throngMembers,
		g.awaitShares(t, throngMembers).Round(time.Millisecond),
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
		throngMembers-1,
		time.Since(began).Round(time.Millisecond),
		longest.Round(time.Millisecond),
	)
	assert.Less(t, longest, 25*time.Second, "leaving hands everything over and waits for nobody")
	t.Logf("the last has all partitions %s later", g.awaitShares(t, 1).Round(time.Millisecond))
	g.write(t)
	g.await(t, g.written)
	assert.Zero(t, g.repeated(), "messages came twice")
}
