package broker

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// LeasesOptions configures the Leases of one group of one topic.
type LeasesOptions struct {
	Topic, Group string
	// KeepUnused makes Redis keep the leases of an unused group forever. It is for servers that
	// evict keys with an expiry: see Eviction in package access.
	KeepUnused bool
	// Warn, if set, is called once for each split whose stream has a Redis consumer group with the
	// group's name that rafka did not create, or that another client reads with. Warn must not
	// block.
	Warn func(split splits.Split, message string)
}

// Leases stores the ownership and the positions of one group's splits. It implements splits.Leases
// on Redis. A call with many requests sends one pipeline per node. Leases is safe for concurrent
// use and does not close its client.
type Leases struct {
	client redis.UniversalClient
	topic  string
	group  string
	unused int64 // the result of ForgetAfter, an argument of the scripts
	warn   func(split splits.Split, message string)

	mu     sync.Mutex // never held during I/O
	warned map[splits.Split]bool
}

var _ splits.Leases = (*Leases)(nil)

// NewLeases returns the leases of a group. The client should be the client for control requests.
func NewLeases(client redis.UniversalClient, o LeasesOptions) *Leases {
	warn := o.Warn
	if warn == nil {
		warn = func(splits.Split, string) {}
	}
	return &Leases{
		client: client,
		topic:  o.Topic,
		group:  o.Group,
		unused: ForgetAfter(o.KeepUnused),
		warn:   warn,
		warned: map[splits.Split]bool{},
	}
}

// Claim implements splits.Leases.
func (l *Leases) Claim(ctx context.Context, owner string, ttl time.Duration, claims []splits.Claim) []splits.Granted {
	calls := make([]script.Call, len(claims), 2*len(claims))
	for i, c := range claims {
		kind, at := StartArgs(c.Start)
		calls[i] = claimScript.Call(
			l.keys(c.Split),
			owner,
			script.Millis(ttl),
			l.group,
			kind,
			at,
			l.unused,
			splits.MaxDeaths,
		)
	}
	for _, c := range claims {
		calls = append(calls, l.failingCall(c.Split))
	}
	replies := script.RunAll(ctx, l.client, calls)
	granted := make([]splits.Granted, len(claims))
	for i, c := range claims {
		var err error
		if granted[i], err = l.granted(c.Split, replies[i], replies[len(claims)+i]); err != nil {
			granted[i] = splits.Granted{Err: fmt.Errorf("claiming partition %s: %w", c.Split, err)}
		}
	}
	return granted
}

// granted decodes the replies to the claim of a split.
func (l *Leases) granted(split splits.Split, reply, failing script.Result) (granted splits.Granted, err error) {
	words, err := DecodeLease(claimScript, reply)
	if err != nil {
		return granted, err
	}
	if granted, err = decodeGranted(words); err != nil {
		return granted, script.Unreadable(claimScript, reply.Value, err)
	}
	l.noteMirror(split, words.Word(5))
	granted.Finished = l.finished(split, words.Word(8))
	granted.Failing, err = decodeFailing(failing)
	return granted, err
}

// StartArgs returns a start position as arguments of the claim script.
func StartArgs(start splits.Start) (kind, at string) {
	if o, ok := start.At(); ok {
		return "at", o.Prev().String() // the first entry to read is o itself
	}
	switch {
	case start.IsLatest():
		return "latest", ""
	case start.IsAdopt():
		return "group", ""
	}
	return "earliest", ""
}

// Commit implements splits.Leases.
func (l *Leases) Commit(ctx context.Context, ttl time.Duration, commits []splits.Commit) []error {
	calls := make([]script.Call, len(commits))
	for i, c := range commits {
		keys := []string{l.key(c.Lease.Split), c.Lease.Split.Key} // the lease is first: a renewal names no other key
		calls[i] = l.positionCall(
			commitScript,
			keys,
			ttl,
			c.Lease,
			c.Position.Offset.String(),
			c.Position.EntriesRead,
			c.Accounted,
			EncodeFinished(c.Finished),
			encodeSuspect(c.Suspect),
		)
	}
	return l.underLease(ctx, "committing", calls, func(i int) splits.Split { return commits[i].Lease.Split })
}

// Renew implements splits.Leases.
func (l *Leases) Renew(ctx context.Context, ttl time.Duration, leases []splits.Lease) []error {
	calls := make([]script.Call, len(leases))
	for i, lease := range leases {
		calls[i] = l.positionCall(
			commitScript,
			[]string{l.key(lease.Split)},
			ttl,
			lease,
			"",
			splits.CountUnknown,
			splits.CountUnknown,
			"",
			"",
		)
	}
	return l.underLease(ctx, "renewing", calls, func(i int) splits.Split { return leases[i].Split })
}

// Reset implements splits.Leases.
func (l *Leases) Reset(ctx context.Context, ttl time.Duration, c splits.Commit) error {
	call := l.positionCall(
		resetScript,
		append(l.keys(c.Lease.Split), keys.Failing(c.Lease.Split.Key, l.group)),
		ttl,
		c.Lease,
		c.Position.Offset.String(),
		c.Position.EntriesRead,
		splits.CountUnknown,
		"",
		"",
	)
	return l.underLease(ctx, "resetting", []script.Call{call}, func(int) splits.Split { return c.Lease.Split })[0]
}

// Release implements splits.Leases.
func (l *Leases) Release(ctx context.Context, leases []splits.Lease) []error {
	calls := make([]script.Call, len(leases))
	for i, lease := range leases {
		calls[i] = releaseScript.Call([]string{l.key(lease.Split)},
			lease.Member, strconv.FormatUint(lease.Epoch, 10), keys.GroupChannel(l.topic, l.group), l.unused)
	}
	return l.underLease(ctx, "releasing", calls, func(i int) splits.Split { return leases[i].Split })
}

// Node returns the address of the server that holds a split, if the client knows the address: see
// splits.Config.Node. It does no I/O.
func (l *Leases) Node(split splits.Split) string { return script.NodeOf(l.client, split.Key) }

// keys returns the keys of the stream and of the lease of a split. Both keys are in one slot.
// Scripts that access the stream and the lease name both keys.
func (l *Leases) keys(split splits.Split) []string {
	return []string{split.Key, l.key(split)}
}

func (l *Leases) key(split splits.Split) string { return keys.Lease(split.Key, l.group) }

// positionCall builds a call of the commit script or the reset script. A commit without an offset
// is a renewal.
func (l *Leases) positionCall(
	s *script.Script,
	keys []string,
	ttl time.Duration,
	lease splits.Lease,
	offset string,
	read, accounted int64,
	finished, suspect string,
) script.Call {
	return s.Call(
		keys,
		lease.Member,
		strconv.FormatUint(lease.Epoch, 10),
		script.Millis(ttl),
		l.unused,
		l.group,
		offset,
		max(read, splits.CountUnknown),
		max(accounted, splits.CountUnknown),
		finished,
		suspect,
	)
}

// underLease runs calls of fenced scripts and decodes the replies.
func (l *Leases) underLease(
	ctx context.Context,
	doing string,
	calls []script.Call,
	split func(i int) splits.Split,
) []error {
	errs := make([]error, len(calls))
	for i, reply := range script.RunAll(ctx, l.client, calls) {
		words, err := DecodeLease(calls[i].Script, reply)
		if err != nil {
			errs[i] = fmt.Errorf("%s partition %s: %w", doing, split(i), err)
			continue
		}
		l.noteMirror(split(i), words.Word(1))
	}
	return errs
}
