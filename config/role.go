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

	// longestBlock is how long a read can block on the server until entries arrive.
	longestBlock = time.Second
	// controlConns is the number of connections that the control requests of one input share. With
	// two, a heartbeat does not wait for the reply to a claim of many partitions, nor for a large
	// read. More connections gain nothing, since each request is short.
	controlConns = 2
	// writerConns is the number of connections of an output to one node: two for appends, one per
	// writer, and two for looking up topics and checking the server's health meanwhile.
	writerConns = 4
	// clusterReads is the limit of concurrent blocking reads at a node of a cluster, unless
	// pool.size is lower. There, each slot needs its own read, so there are as many reads as
	// partitions. Connections are made when they are needed.
	clusterReads = 4096
	// longestTurn is how long a read of a cluster waits for a connection if there are more reads
	// than pool.size allows: each read in front can block.
	longestTurn = 10 * time.Minute
	// bulkBuffer is the buffer size in the direction in which a role transfers thousands of
	// entries.
	bulkBuffer = 128 << 10
)

// Role is the purpose of a client. It determines the timeouts and the most connections to one node.
// pool.size can lower that number, and then requests wait for each other. No request needs two
// connections. Subscriptions have their own connections.
//
// No client retries, since rafka does: a request fails at its first failure, including dialling,
// and respects the deadline of its context. On a cluster go-redis still follows up to three
// redirects, and within that limit also sends a request again after a broken connection; only a
// limit of zero redirects would prevent it. Pipelines use the same pool, so its size is the limit
// for them too.
type Role struct {
	conns     int
	limit     time.Duration // of each timeout; 0 for none
	blocks    bool
	bulkReads bool
	bulkWrite bool
}

// Blocking returns the role of a client for conns concurrent reads that block until entries arrive.
// On a cluster there can be one more read per node than the node has partitions. The read timeout
// is the configured one plus up to a second of blocking.
//
// For XRead and XReadGroup with Block, go-redis uses another limit: Block plus ten seconds. The
// role's limit applies to pipelines and to Do. The deadline of a context shortens both.
func Blocking(conns int) Role { return Role{conns: conns, blocks: true, bulkReads: true} }

// Control returns the role of a client for heartbeats, claims and commits. No timeout is longer
// than half of the heartbeat interval, so that a failed request can be repeated in time.
func Control(heartbeat time.Duration) Role {
	return Role{conns: controlConns, limit: heartbeat / 2, bulkReads: true}
}

// Writer returns the role of a client that appends.
func Writer() Role { return Role{conns: writerConns, bulkWrite: true} }

// apply sets the options that the role determines.
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
		o.PoolTimeout = o.ReadTimeout + time.Second // a request in front can take its whole timeout
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
