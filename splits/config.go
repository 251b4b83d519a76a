package splits

import "time"

// Config is what a Consumer needs to know. Group, Leases, Log, Member, TTL and Heartbeat are
// required; the zero value of everything else has a sensible meaning.
type Config struct {
	Group   Group
	Leases  Leases
	Streams Streams
	// Shard names the server, or the part of it, that one fetch request may span. Nil: all splits
	// are in one.
	FetchGroup func(Split) string
	// Node names the server that holds a split, as far as is known: requests to different ones do
	// not wait for each other. It must not block. Nil: there is one.
	Node func(Split) string

	// Member is this consumer's ID. No other consumer may ever have the same, unless Owner is set.
	Member string
	// Owner, if set, makes the member a static one: it is the Incarnation of Member that this
	// consumer is, which no other consumer may ever have been. Closing does not take a static
	// member out of the group: it stays until its session ends, so a consumer that comes as its
	// next incarnation before that has its splits at once, without a rebalance. One that is
	// superseded while it runs gives everything up and stands by.
	Owner string
	// TTL is the session timeout: how long a lease and a membership live without renewal.
	TTL time.Duration
	// Heartbeat is the longest time between two beats; at most a third of TTL.
	Heartbeat time.Duration
	// CommitEvery is how often positions are stored. Default 1s.
	CommitEvery time.Duration
	// SampleEvery is how often lag is sampled and streams are looked over for loss. Default 5s.
	SampleEvery time.Duration
	// DrainFor is how long a split that is given up may wait for what is in flight. Default 30s.
	DrainFor time.Duration
	// FetchWithin is how long the answer to a fetch may take before the store gives it up. Requests
	// ask for as much as arrives in a quarter of it. Default 5s.
	FetchWithin time.Duration
	// CallTimeout bounds each request of the closing sequence. Default 5s.
	CallTimeout time.Duration

	// Start is where splits without a committed position are begun.
	Start Start
	// BatchSize is the most entries of a batch. Default 500.
	BatchSize int
	// SplitBuffer is how many bytes of one split may be fetched ahead, within one read. Default 1
	// MiB.
	SplitBuffer int
	// FetchMax is how many bytes may be fetched ahead in all. Default 50 MiB.
	FetchMax int

	// Unordered lets a split have more than one batch in flight, up to CheckpointLimit entries.
	// Default limit 1024.
	Unordered       bool
	CheckpointLimit int
	// MaxAhead is how many entries may lie between the committed position and the last entry that
	// was handed out, under Unordered: so many are handed out again at most after a crash. Default
	// 1,000,000.
	MaxAhead int
	// SkipNacked passes over batches that were nacked instead of handing their entries out again.
	SkipNacked bool
	// Failures is shared by all consumers of a process. Nil: this is the only one.
	Failures *Failures
	// FailOnLoss stops reading a split of which entries were lost, instead of going on with what is
	// there.
	FailOnLoss bool
	// OrderKey names the key whose entries must stay in order; an empty one is no key. Nil: no
	// entry has a key.
	OrderKey func(Entry) string

	// Backoff makes the waits between attempts that failed. Default: 100ms doubling to 30s.
	Backoff func() Backoff
	// Observer is told what happens. Default: nobody.
	Observer Observer
	// Now is the clock of the leases; it must carry a monotonic reading. Default: time.Now.
	Now func() time.Time
}

// static reports whether the member is a static one.
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

// doubling is the default Backoff, without jitter.
type doublingBackoff struct{ last time.Duration }

func (d *doublingBackoff) NextBackOff() time.Duration {
	d.last = min(max(2*d.last, 100*time.Millisecond), 30*time.Second)
	return d.last
}

func (d *doublingBackoff) Reset() { d.last = 0 }
