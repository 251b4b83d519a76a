package splitstest

import (
	"context"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Leases is the splits.Leases of one group in a Store.
type Leases struct {
	store *Store
	group string
}

var _ splits.Leases = (*Leases)(nil)

// Leases returns the leases of a group, for the splits of all its topics.
func (s *Store) Leases(group string) *Leases { return &Leases{store: s, group: group} }

// leaseRecord is what is stored of one split for one group. An empty owner means that the lease was
// released.
type leaseRecord struct {
	owner        string
	epoch        uint64
	expires, ttl int64 // milliseconds
	position     splits.Position
	attempts     int
	claimed      splits.Offset // the position when attempts was counted
	moved        moved
	adopting     string // the foreign group, empty if there is none
	finished     []splits.Range
	suspect      splits.Suspect
	deaths       []death
}

// moved records that an operator ended a lease: err is the error of requests under that epoch.
type moved struct {
	err   error
	epoch uint64
}

// LeaseState is the state of the lease of one split in a Store.
type LeaseState struct {
	// Owner is empty if the lease was released. The lease may have expired: then Remaining is not
	// positive.
	Owner     string
	Epoch     uint64
	Remaining time.Duration
	Position  splits.Position
	Finished  []splits.Range
	Attempts  int
	Suspect   splits.Suspect
	Deaths    []splits.Offset
	// Adopting is the foreign group that is being adopted, empty if there is none.
	Adopting string
}

// Lease returns the state of the lease of a split, and whether the store has one.
func (s *Store) Lease(group string, split splits.Split) (LeaseState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.state.leases[leaseKey{group, split.Key}]
	return LeaseState{
		Owner:     r.owner,
		Epoch:     r.epoch,
		Remaining: millis(r.expires - s.now()),
		Position:  r.position,
		Finished:  r.finished,
		Attempts:  r.attempts,
		Suspect:   r.suspect,
		Deaths:    r.deadly(),
		Adopting:  r.adopting,
	}, ok
}

// Claim implements splits.Leases.
func (l *Leases) Claim(ctx context.Context, member string, ttl time.Duration, claims []splits.Claim) []splits.Granted {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	granted := make([]splits.Granted, len(claims))
	for i, claim := range claims {
		if err := ctx.Err(); err != nil {
			granted[i].Err = err
			continue
		}
		granted[i] = l.claim(member, ttl.Milliseconds(), claim)
	}
	return granted
}

func (l *Leases) claim(member string, ttl int64, claim splits.Claim) splits.Granted {
	key, now := leaseKey{l.group, claim.Split.Key}, l.store.now()
	r, stored := l.store.state.leases[key]
	if r.owner != "" && r.owner != member && r.expires > now && !splits.Supersedes(member, r.owner) {
		// More than the whole ttl can only be left if the clock was set back: then the ttl starts
		// now.
		r.expires = min(r.expires, now+r.ttl)
		l.store.state.leases[key] = r
		return splits.Granted{Err: &splits.HeldError{Owner: r.owner, Remaining: millis(r.expires - now)}}
	}
	if !stored {
		position, err := l.resolve(claim)
		if err != nil {
			return splits.Granted{Err: err}
		}
		r.position = position
		if claim.Start.IsAdopt() {
			r.adopting = l.group
		}
	}
	r.suspectAfterClaim(r.owner != "" && r.owner != member)
	r.countAttempt(member)
	r.owner, r.ttl, r.expires = member, ttl, now+ttl
	r.epoch = l.store.nextNumber(r.epoch)
	l.store.state.leases[key] = r
	return splits.Granted{
		Epoch:    r.epoch,
		Position: r.position,
		Attempts: r.attempts,
		Finished: r.finished,
		Failing:  l.store.failing(key),
		Suspect:  r.suspect,
		Deaths:   r.deadly(),
		Resolved: !stored,
		Deleted:  l.store.state.deleted[key],
		Adopting: r.adopting,
	}
}

// countAttempt updates the attempts for a claim that is about to be granted: only the takeover of
// an expired lease counts.
func (r *leaseRecord) countAttempt(member string) {
	switch {
	case r.owner == member:
		return
	case r.owner == "":
		r.attempts = 0
	case r.position.Offset == r.claimed:
		r.attempts++
	default:
		r.attempts = 1
	}
	r.claimed = r.position.Offset
}

// resolve returns where the group begins to read a split of which it has no position.
func (l *Leases) resolve(claim splits.Claim) (splits.Position, error) {
	if claim.Start.IsAdopt() {
		return l.adopt(claim.Split)
	}
	return l.store.resolve(claim)
}

// resolve returns where a group begins to read a split of which it has no position.
func (s *Store) resolve(claim splits.Claim) (splits.Position, error) {
	state := s.describe(claim.Split)
	if state.Err != nil {
		return splits.Position{}, state.Err
	}
	at, isAt := claim.Start.At()
	at = at.Prev()
	switch {
	case claim.Start.IsLatest(), isAt && state.Exists && state.Last.Before(at):
		return splits.Position{Offset: state.Last, EntriesRead: state.EntriesAdded}, nil
	case isAt && (!at.Before(state.First) || state.Length == 0):
		return splits.Position{Offset: at, EntriesRead: splits.CountUnknown}, nil
	case isAt:
		return splits.Position{Offset: at, EntriesRead: state.EntriesAdded - state.Length}, nil
	}
	return splits.Position{EntriesRead: state.EntriesAdded - state.Length}, nil
}

// Commit implements splits.Leases.
func (l *Leases) Commit(ctx context.Context, ttl time.Duration, commits []splits.Commit) []error {
	errs := make([]error, len(commits))
	for i, commit := range commits {
		errs[i] = l.held(ctx, commit.Lease, func(r *leaseRecord, now int64) {
			r.extend(ttl, now)
			r.advance(commit)
		})
	}
	return errs
}

// Renew implements splits.Leases.
func (l *Leases) Renew(ctx context.Context, ttl time.Duration, leases []splits.Lease) []error {
	errs := make([]error, len(leases))
	for i, lease := range leases {
		errs[i] = l.held(ctx, lease, func(r *leaseRecord, now int64) { r.extend(ttl, now) })
	}
	return errs
}

// Reset implements splits.Leases.
func (l *Leases) Reset(ctx context.Context, ttl time.Duration, commit splits.Commit) error {
	return l.held(ctx, commit.Lease, func(r *leaseRecord, now int64) {
		r.extend(ttl, now)
		r.position, r.finished, r.suspect, r.deaths = commit.Position, nil, splits.Suspect{}, nil
		delete(l.store.state.failing, leaseKey{l.group, commit.Lease.Split.Key})
	})
}

// Release implements splits.Leases.
func (l *Leases) Release(ctx context.Context, leases []splits.Lease) []error {
	errs := make([]error, len(leases))
	for i, lease := range leases {
		errs[i] = l.held(ctx, lease, func(r *leaseRecord, _ int64) {
			r.owner, r.expires = "", 0
			l.store.hint(groupKey{lease.Split.Topic, l.group})
		})
	}
	return errs
}

// held changes the record of a lease, if the member has the lease. An expired lease that no other
// member has taken over is still the member's.
func (l *Leases) held(ctx context.Context, lease splits.Lease, change func(r *leaseRecord, now int64)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	key := leaseKey{l.group, lease.Split.Key}
	r, stored := l.store.state.leases[key]
	if !stored || r.owner == "" || r.owner != lease.Member || r.epoch != lease.Epoch {
		return l.store.fence(key, r, lease.Epoch)
	}
	change(&r, l.store.now())
	l.store.state.leases[key] = r
	return nil
}

// advance stores a position, and what is finished behind it, unless the position is lower than the
// stored one. At the same offset a known count is kept.
func (r *leaseRecord) advance(c splits.Commit) {
	to := c.Position
	if to.Offset.Before(r.position.Offset) {
		return
	}
	r.finished = c.Finished
	if c.Suspect.Turn > r.suspect.Turn { // else it is from an older commit
		r.suspect = c.Suspect
	}
	if to.Offset != r.position.Offset || to.EntriesRead != splits.CountUnknown {
		r.position = to
	}
}

func (r *leaseRecord) extend(ttl time.Duration, now int64) {
	r.ttl = ttl.Milliseconds()
	r.expires = now + r.ttl
}
