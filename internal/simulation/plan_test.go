package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// plan is the setup of a schedule.
type plan struct {
	members, partitions, producers, shards int
	ttl, heartbeat, commitEvery            time.Duration
	sampleEvery                            time.Duration
	ordering                               splits.Ordering
	lanes                                  int
	skipNacked, failOnLoss                 bool
	latest                                 bool // start_offset
	adopts                                 bool // the group continues where a foreign group stands
	deletes                                bool // a share group deletes what it has acknowledged
	static                                 bool // members keep their names when they restart
	gentle                                 bool // members only join, leave and crash; no other fault
	batchSize                              int
	splitBuffer, fetchMax                  int // bytes; 0: unlimited
	keys                                   int
	failRate                               float64       // probability that a request fails while the network is bad
	pace                                   time.Duration // average time between two faults
	lasts                                  time.Duration // how long the nemesis injects faults
	produceEvery                           time.Duration
	deadLetters                            bool          // entries that keep failing are given up
	maxDeliveries                          int           // after how many failures
	maxBackoff, minAge                     time.Duration // see splits.DeadLetters
	match                                  bool          // unfit records fail with an error that matches
	destructive                            bool          // the store may lose data
	killers                                int           // how many records kill the process that works on them
}

// newPlan draws a plan: most schedules are of medium size, some are large.
func newPlan(l rng) plan {
	r := l.of("plan").rand()
	p := plan{
		members: 4 + r.IntN(10), partitions: 16 + r.IntN(40), producers: 1 + r.IntN(3), shards: 1 + r.IntN(4),
		ttl:      time.Duration(500+r.IntN(1500)) * time.Millisecond,
		ordering: []splits.Ordering{splits.ByPartition, splits.ByPartition, splits.ByKey, splits.Unordered}[r.IntN(4)],
		lanes:    1 + r.IntN(12), latest: r.IntN(4) == 0,
		batchSize: 1 + r.IntN(12), keys: 3 + r.IntN(20),
		failRate: 0.05 + 0.3*r.Float64(), pace: time.Duration(30+r.IntN(120)) * time.Millisecond,
		produceEvery: time.Duration(30+r.IntN(120)) * time.Millisecond,
		destructive:  r.IntN(3) > 0,
	}
	switch r.IntN(20) {
	case 0:
		p.members = 20 + r.IntN(31)
	case 1:
		p.partitions = 100 + r.IntN(101)
	case 2:
		p.members = 1 + r.IntN(3)
	case 3:
		p.partitions = 1 + r.IntN(8)
	}
	if r.IntN(4) == 0 {
		p.splitBuffer, p.fetchMax = 1+r.IntN(400), 1000+r.IntN(4000)
	}
	p.heartbeat = p.ttl / time.Duration(3+r.IntN(3))
	p.commitEvery = p.ttl / time.Duration(3+r.IntN(10))
	p.sampleEvery = p.ttl/2 + time.Duration(r.IntN(int(p.ttl)))
	p.lasts = p.ttl/2 + time.Duration(r.IntN(int(5*p.ttl/2)))
	if r.IntN(10) == 0 {
		p.lasts *= 4
	}
	if p.gentle = r.IntN(6) == 0; p.gentle {
		p.destructive, p.failRate, p.pace = false, 0, 3*p.pace
	}
	p.skipNacked, p.failOnLoss, p.static = r.IntN(6) == 0, !p.destructive && r.IntN(4) == 0, r.IntN(4) == 0
	// A store that loses a foreign group leaves nothing to continue.
	p.adopts = !p.destructive && !p.latest && l.of("adopts").chance() < 0.5
	p.addLetters(l.of("dead letters").rand())
	p.addKillers(l.of("killers").rand())
	p.deletes = l.of("deletes").chance() < 0.5
	return p
}

// addLetters draws whether and when entries are given up.
func (p *plan) addLetters(r *rand.Rand) {
	p.deadLetters = !p.skipNacked && r.IntN(5) < 2
	p.maxDeliveries, p.match = 2+r.IntN(4), r.IntN(4) == 0
	p.maxBackoff = p.ttl/20 + time.Duration(r.IntN(int(p.ttl/2)))
	p.minAge = p.ttl/2 + time.Duration(r.IntN(int(2*p.ttl)))
	if r.IntN(2) == 0 {
		p.minAge = time.Hour
	}
	if p.deadLetters && p.ordering == splits.ByPartition {
		// Entries that wait for one that fails fill a small buffer: no other entry can be tried
		// then.
		p.splitBuffer, p.fetchMax = 0, 0
	}
}

// untilGivenUp is how long it takes at most until an entry that always fails is given up: failures
// of other entries at the same time do not count, and the waits in between are up to 5 seconds.
const untilGivenUp = 2 * time.Minute

// recoverWithin is how long after the last fault everything has to be in order again: sessions that
// were just renewed have to end, and back-offs and samples in between have to pass.
func (p plan) recoverWithin() time.Duration {
	within := 6*p.ttl + 10*longestBackoff + 3*p.sampleEvery
	if p.gentle {
		within = 2*p.ttl + takeoverBeyond
	}
	if p.deadLetters {
		within += untilGivenUp
	}
	return within + p.untilFound()
}
