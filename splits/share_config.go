package splits

import (
	"context"
	"time"
)

// ShareConfig configures a ShareConsumer. Group, Shares, NewName, TTL and Heartbeat are required.
// For all other fields the zero value is a sensible default.
type ShareConfig struct {
	Group  ShareGroup
	Shares Shares
	// NewName returns the name under which this consumer joins: the first time, and whenever its
	// session has ended. No name may ever be returned twice, by any consumer.
	NewName func(ctx context.Context) (ShareName, error)
	// FetchGroup and Node are the same as in Config.
	FetchGroup func(Split) string
	Node       func(Split) string

	// TTL is the session timeout: how long a membership lives without a beat.
	TTL time.Duration
	// Heartbeat is the longest time between two beats; at most a third of TTL.
	Heartbeat time.Duration
	// AuditEvery is how often the entries that are pending in the store are compared with the ones
	// that this consumer has, and how often it looks for names of dead members. Default: three
	// sessions.
	AuditEvery time.Duration
	// AdoptIdle, if set, makes the members take over entries that are pending at other programs
	// which read with the same group, if they were idle for this long.
	AdoptIdle time.Duration
	// DeleteAcknowledged deletes what was acknowledged, as long as no other group reads it: see
	// ShareAck.Delete.
	DeleteAcknowledged bool
	// SampleEvery is how often the lag and the number of pending entries are sampled. Default 5s.
	SampleEvery time.Duration
	// FetchWithin is the time after which the store gives up a read. Default 5s.
	FetchWithin time.Duration
	// CallTimeout bounds each request during Close. Default 5s.
	CallTimeout time.Duration

	// Start is where a new group begins.
	Start Start
	// BatchSize is the maximum number of entries of a batch. Default 500.
	BatchSize int
	// CheckpointLimit bounds the number of entries that are handed out and not acknowledged, of all
	// splits together. One batch more is read ahead. Default 1024.
	CheckpointLimit int
	// FetchMax is how many bytes may be read ahead. One read can exceed it. Default 50 MiB.
	FetchMax int
	// SkipNacked skips batches that were nacked instead of handing out their entries again.
	SkipNacked bool
	// DeadLetters gives up entries that keep failing. It has no effect with SkipNacked.
	DeadLetters DeadLetters
	// Failures is shared by all consumers of a process. Nil: this is the only consumer.
	Failures *Failures

	// PassOver, Backoff, Observer, Remedies and Now are the same as in Config.
	PassOver func(Entry) bool
	Backoff  func() Backoff
	Observer Observer
	Remedies Remedies
	Now      func() time.Time
}

// ShareName is the name of a member of a share group.
type ShareName struct {
	Member string
	// Owner, if set, makes the member static: it is the Incarnation of Member for this consumer,
	// and Close does not remove the member from the group.
	Owner string
}

// holder returns the name at which entries of the member are pending.
func (n ShareName) holder() string {
	if n.Owner != "" {
		return n.Owner
	}
	return n.Member
}

func (c ShareConfig) withDefaults() ShareConfig {
	setDefault(&c.AuditEvery, 3*c.TTL)
	setDefault(&c.SampleEvery, 5*time.Second)
	setDefault(&c.FetchWithin, 5*time.Second)
	setDefault(&c.CallTimeout, 5*time.Second)
	setDefault(&c.BatchSize, 500)
	setDefault(&c.CheckpointLimit, 1024)
	setDefault(&c.FetchMax, 50<<20)
	c.DeadLetters = c.DeadLetters.withDefaults()
	if c.Failures == nil {
		c.Failures = NewFailures()
	}
	if c.FetchGroup == nil {
		c.FetchGroup = func(Split) string { return "" }
	}
	if c.Node == nil {
		c.Node = func(Split) string { return "" }
	}
	if c.Backoff == nil {
		c.Backoff = func() Backoff { return &doublingBackoff{} }
	}
	if c.Observer == nil {
		c.Observer = NopObserver{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
