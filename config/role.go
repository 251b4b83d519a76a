package config

import (
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	defaultClientName   = "rafka"
	defaultDialTimeout  = 5 * time.Second
	defaultReadTimeout  = 5 * time.Second
	defaultWriteTimeout = 5 * time.Second

	// longestBlock is how long a reply may be late because the server waits for entries: no read of
	// ours blocks longer.
	longestBlock = time.Second
	// controlConns is how many connections the control requests of one input share: a beat need not
	// wait for the answer to the claim of many partitions, nor that for a read of much that is
	// there already. More would only be more: each request is done in a moment.
	controlConns = 2
	// writerConns is how many connections an output has to one node: two for the appends, which go
	// out in rounds of two writers, and others for a look at topics and at the server's health
	// meanwhile.
	writerConns = 4
	// clusterReads is how many reads may block at once at a node of a cluster unless pool.size says
	// less: each slot has a read of its own there, so there are as many as partitions. It is a
	// limit; connections are made when they are needed.
	clusterReads = 4096
	// longestTurn is how long a read of a cluster waits for its turn if pool.size is less than
	// there are reads: each that is in front of it may block for a while.
	longestTurn = 10 * time.Minute
	// bulkBuffer is the size of the buffer in the direction in which a role moves entries by the
	// thousand.
	bulkBuffer = 128 << 10
)

// Role is what a client is for; it decides about timeouts and the number of connections. That is
// the most that it has to one node at any time: pool.size can lower it, and then requests wait for
// each other. None of them ever needs two connections at once. Subscriptions have connections of
// their own.
//
// All roles leave retries to rafka: a request fails at its first failure, dialling included, and a
// context's deadline is obeyed. On a cluster go-redis still follows redirects, at most three, and
// sends a request again after a broken connection within the same limit, which nothing but a limit
// of no redirects could stop. Pipelines use the one pool, whose size is thus the limit.
type Role struct {
	conns     int
	limit     time.Duration // of each timeout; 0 for none
	blocks    bool
	bulkReads bool
	bulkWrite bool
}

// Blocking is the role of a client that reads entries, and waits for them, with conns reads at a
// time; on a cluster as many at each node as it has partitions, and more. Its read timeout allows
// for the waiting, up to a second, on top of the configured one.
//
// go-redis takes the time limit of XRead and XReadGroup calls with a Block from there instead:
// Block plus ten seconds. The role's limit holds for pipelines and for requests made by Do. The
// deadline of a context shortens both.
func Blocking(conns int) Role { return Role{conns: conns, blocks: true, bulkReads: true} }

// Control is the role of a client for heartbeats, claims and commits: no timeout is longer than
// half of the heartbeat interval, so that one that fails can be repeated in time.
func Control(heartbeat time.Duration) Role {
	return Role{conns: controlConns, limit: heartbeat / 2, bulkReads: true}
}

// Writer is the role of a client that appends.
func Writer() Role { return Role{conns: writerConns, bulkWrite: true} }

// apply puts what the role needs over the options of a client.
func (r Role) apply(o *redis.UniversalOptions, cluster bool) {
	if r.blocks && cluster {
		r.conns = clusterReads
		if o.PoolSize > 0 && o.PoolTimeout == 0 {
			o.PoolTimeout = longestTurn
		}
	}
	if r.blocks {
		o.ReadTimeout += longestBlock
	}
	if o.PoolTimeout == 0 {
		o.PoolTimeout = o.ReadTimeout + time.Second // a request in front may take all its time
	}
	if r.limit > 0 {
		for _, timeout := range []*time.Duration{&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout} {
			*timeout = min(*timeout, r.limit)
		}
	}
	if o.PoolSize == 0 || o.PoolSize > r.conns {
		o.PoolSize = r.conns
	}
	o.MinIdleConns = min(o.MinIdleConns, o.PoolSize)
	if o.PipelinePoolSize == 0 {
		o.PipelinePoolSize = -1
	}
	if r.bulkReads {
		o.ReadBufferSize = bulkBuffer
	}
	if r.bulkWrite {
		o.WriteBufferSize = bulkBuffer
	}
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
}
