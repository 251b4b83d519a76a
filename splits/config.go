package splits

import "time"

// Config configures a Consumer. Group, Leases, Streams, Member, TTL and Heartbeat are required. For
// all other fields the zero value is a sensible default.
type Config struct {
	Group   Group
	Leases  Leases
	Streams Streams
	// Adoptions is required only if splits can be adopted from foreign groups.
	Adoptions Adoptions
	// FetchGroup names the server, or the part of it, that one fetch request can span. Nil: all
	// splits are in one fetch group.
	FetchGroup func(Split) string
	// Node names the server that probably holds a split: requests to different nodes do not wait
	// for each other. It must not block. Nil: all splits are on one node.
	Node func(Split) string

	// Member is the ID of this consumer. No other consumer may ever have the same, unless Owner is
	// set.
	Member string
	// Owner, if set, makes the member static. It is the Incarnation of Member for this consumer,
	// and no other consumer may ever have the same. Close does not remove a static member from the
	// group: it stays until its session ends, so a consumer that starts as its next incarnation
	// before that has its splits immediately, without a rebalance. An incarnation that is
	// superseded while it runs gives up all its splits and stands by.
	Owner string
	// TTL is the session timeout: how long a lease and a membership live without renewal.
	TTL time.Duration
	// Heartbeat is the longest time between two beats; at most a third of TTL.
	Heartbeat time.Duration
	// CommitEvery is how often positions are stored. Default 1s.
	CommitEvery time.Duration
	// SampleEvery is how often the lag is sampled and streams are checked for loss. Default 5s.
	SampleEvery time.Duration
	// DrainFor is how long a split that is given up may wait for its batches in flight. Default
	// 30s.
	DrainFor time.Duration
	// FetchWithin is the time after which the store gives up a fetch. Requests ask for as much as
	// arrives in a quarter of it. Default 5s.
	FetchWithin time.Duration
	// CallTimeout bounds each request during Close. Default 5s.
	CallTimeout time.Duration

	// Start is where splits without a committed position begin.
	Start Start
	// BatchSize is the maximum number of entries of a batch. Default 500.
	BatchSize int
	// SplitBuffer is how many bytes of one split may be buffered before it is fetched again. One
	// fetch can exceed it. Default 1 MiB.
	SplitBuffer int
	// FetchMax is the same for all splits together. Default 50 MiB.
	FetchMax int

	// Ordering limits which entries of a split may be in the pipeline at the same time. The fields
	// up to MaxAhead have no effect under ByPartition.
	Ordering Ordering
	// CheckpointLimit bounds the number of entries of a split that were handed out and are not
	// acknowledged. Default 1024.
	CheckpointLimit int
	// MaxAhead bounds the number of entries between the committed position and the last entry that
	// was handed out. After a crash at most this many are handed out again. Default 1,000,000.
	MaxAhead int
	// Lanes is the number of lanes of a split under ByKey: each key belongs to one lane, and a
	// lane has at most one batch in the pipeline. Default 16 for each thread of the process.
	Lanes int
	// SkipNacked skips batches that were nacked instead of handing out their entries again.
	SkipNacked bool
	// DeadLetters gives up entries that keep failing. It has no effect with SkipNacked.
	DeadLetters DeadLetters
	// Failures is shared by all consumers of a process. Nil: this is the only consumer.
	Failures *Failures
	// FailOnLoss stops a split of which entries were lost, instead of reading on.
	FailOnLoss bool
	// OrderKey returns the key within which entries must stay in order; an empty key imposes no
	// order. Nil: no entry has a key.
	OrderKey func(Entry) string

	// PassOver reports whether the group passes over an entry: the entry is not handed out, and
	// counts as processed. It must not block. Nil: no entry is passed over.
	PassOver func(Entry) bool

	// Backoff returns a new sequence of waits between attempts that failed. Default: 100ms,
	// doubling up to 30s.
	Backoff func() Backoff
	// Observer receives events, for logs and metrics. Default: none.
	Observer Observer
	// Remedies are added to the texts of errors that an operator has to act on.
	Remedies Remedies
	// Now is the clock of the leases. Its times must have a monotonic reading. Default: time.Now.
	Now func() time.Time
}

// Ordering is what a split keeps in order.
type Ordering int

const (
	// ByPartition means that at most one batch of a split is in the pipeline.
	ByPartition Ordering = iota
	// ByKey means that many batches are, but no two with entries of the same OrderKey. Entries
	// without a key have no order.
	ByKey
	// Unordered means that many batches are, and nothing is kept in order.
	Unordered
)

// Remedies are sentences about what an operator can do, in the words of the program that uses this
// package. Empty: none is added.
type Remedies struct {
	// Stopped is added to each LossError.
	Stopped string
	// Superseded is added to each SupersededError.
	Superseded string
	// Full is added to each FullError.
	Full string
}

// static reports whether the member is static.
func (c Config) static() bool { return c.Owner != c.Member }

// Backoff yields the waits between attempts at something that fails.
type Backoff interface {
	NextBackOff() time.Duration
	Reset()
}

func (c Config) withDefaults() Config {
	setDefault(&c.CommitEvery, time.Second)
	setDefault(&c.SampleEvery, 5*time.Second)
	setDefault(&c.DrainFor, 30*time.Second)
	setDefault(&c.CallTimeout, 5*time.Second)
	setDefault(&c.FetchWithin, 5*time.Second)
	setDefault(&c.BatchSize, 500)
	setDefault(&c.SplitBuffer, 1<<20)
	setDefault(&c.FetchMax, 50<<20)
	setDefault(&c.CheckpointLimit, 1024)
	setDefault(&c.MaxAhead, 1_000_000)
	setDefault(&c.Lanes, defaultLanes())
	c.DeadLetters = c.DeadLetters.withDefaults()
	if c.Failures == nil {
		c.Failures = NewFailures()
	}
	if c.Owner == "" {
		c.Owner = c.Member
	}
	if c.FetchGroup == nil {
		c.FetchGroup = func(Split) string { return "" }
	}
	if c.Node == nil {
		c.Node = func(Split) string { return "" }
	}
	if c.OrderKey == nil {
		c.OrderKey = func(Entry) string { return "" }
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

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// doublingBackoff is the default Backoff, without jitter.
type doublingBackoff struct{ last time.Duration }

func (d *doublingBackoff) NextBackOff() time.Duration {
	d.last = min(max(2*d.last, 100*time.Millisecond), 30*time.Second)
	return d.last
}

func (d *doublingBackoff) Reset() { d.last = 0 }
