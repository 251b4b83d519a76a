package simulation

import (
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
	destructive                            bool // the store may lose data
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
	p.deletes = l.of("deletes").chance() < 0.5
	return p
}

// recoverWithin is how long after the last fault everything has to be in order again: sessions that
// were just renewed have to end, and back-offs and samples in between have to pass.
func (p plan) recoverWithin() time.Duration {
	if p.gentle {
		return 2*p.ttl + takeoverBeyond
	}
	return 6*p.ttl + 10*longestBackoff + 3*p.sampleEvery
}
