package appender

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	errLost    = errors.New("connection lost")
	errLoading = errors.New("LOADING")
	errType    = errors.New("WRONGTYPE")
)

// fault is what goes wrong in one attempt. The zero fault means that nothing does.
type fault struct {
	// status is the answer, unless it is Written. With Unknown the request is lost, unless
	// replyLost or late is set.
	status Status
	// replyLost: the append is applied, and the answer is Unknown.
	replyLost bool
	// late: the answer is Unknown, and the append is applied this much later.
	late time.Duration
	// count is the number of written records of a Partial append.
	count int
	// rollback: before the attempt, the partition loses this many of its last appends.
	rollback int
	// foreign: before the attempt, another producer raises the epoch by this much.
	foreign uint64
}

// store is a Store in memory. It compares numbers as the script on a server does, and injects faults.
type store struct {
	t testing.TB

	mu         sync.Mutex
	partitions map[string]*partition
	// plan returns the fault of each attempt.
	plan func(attempt Request) fault
	// took is the duration of a round, by node.
	took map[string]time.Duration
	// Dead nodes answer Unknown after the duration in took.
	dead map[string]bool
	// nodes maps a key to its node. All other keys are on the node "".
	nodes    map[string]string
	attempts []Request
	rounds   [][]string // the keys of each round
	inFlight map[string]int
	short    bool // omit the last result
}

// partition is a stream, and what the store knows about its producer.
type partition struct {
	known      bool
	epoch, seq uint64
	entries    []string
	// applied holds what was written under each number. tried holds what was sent under a number
	// with an unknown outcome.
	applied, tried map[[2]uint64][]Record
	past           []partition
	lost           map[string]bool
	// life is raised by a rollback. Requests that were sent in an earlier life are dropped.
	life int
	late int // requests still on their way
}

func newStore(t testing.TB) *store {
	return &store{
		t: t, partitions: map[string]*partition{}, took: map[string]time.Duration{}, dead: map[string]bool{},
		nodes: map[string]string{}, inFlight: map[string]int{},
	}
}

// faults makes the next attempts at a key fail in this order. All later attempts succeed.
func (s *store) faults(key string, faults ...fault) {
	before := s.plan
	s.plan = func(a Request) fault {
		if a.Target.Key != key {
			if before != nil {
				return before(a)
			}
			return fault{}
		}
		if len(faults) == 0 {
			return fault{}
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}

func (s *store) Node(t Target) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[t.Key]
}

func (s *store) Append(ctx context.Context, round []Request) []Result {
	s.mu.Lock()
	node := s.nodes[round[0].Target.Key]
	took, dead := s.took[node], s.dead[node]
	var keys []string
	for _, a := range round {
		keys = append(keys, a.Target.Key)
		if s.inFlight[a.Target.Key]++; s.inFlight[a.Target.Key] > 1 {
			s.t.Errorf("two appends in flight for %s", a.Target.Key)
		}
	}
	s.rounds = append(s.rounds, keys)
	s.mu.Unlock()

	cut := !wait(ctx, took)

	s.mu.Lock()
	defer s.mu.Unlock()
	results := make([]Result, 0, len(round))
	for _, a := range round {
		s.inFlight[a.Target.Key]--
		s.attempts = append(s.attempts, a)
		switch {
		case cut:
			results = append(results, Result{Status: Unknown, Err: ctx.Err()})
		case dead:
			results = append(results, Result{Status: Unknown, Err: errLost})
		default:
			results = append(results, s.attempt(a))
		}
	}
	if s.short {
		results = results[:len(results)-1]
	}
	return results
}

func (s *store) partition(key string) *partition {
	p := s.partitions[key]
	if p == nil {
		p = &partition{applied: map[[2]uint64][]Record{}, tried: map[[2]uint64][]Record{}, lost: map[string]bool{}}
		s.partitions[key] = p
	}
	return p
}

// attempt applies one append, or not, as the plan says.
func (s *store) attempt(a Request) Result {
	var f fault
	if s.plan != nil {
		f = s.plan(a)
	}
	p := s.partition(a.Target.Key)
	p.rollback(f.rollback)
	if f.foreign > 0 {
		p.known, p.epoch, p.seq = true, p.epoch+f.foreign, 0
	}
	s.checkRetry(p, a)
	switch {
	case f.replyLost:
		s.apply(p, a)
		return s.unknown(p, a)
	case f.late > 0:
		life := p.life
		p.late++
		time.AfterFunc(f.late, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			p.late--
			if life == p.life {
				s.apply(p, a)
			}
		})
		return s.unknown(p, a)
	}
	switch f.status {
	case Written:
		return s.apply(p, a)
	case Unknown:
		return s.unknown(p, a)
	case Refused:
		return Result{Status: Refused, Err: errLoading}
	case Failed:
		return Result{Status: Failed, Err: errType}
	case Partial:
		return s.partial(p, a, f.count)
	default:
		return Result{Status: f.status}
	}
}

func (s *store) unknown(p *partition, a Request) Result {
	if a.Producer != "" {
		p.tried[[2]uint64{a.Epoch, a.Seq}] = a.Records
	}
	return Result{Status: Unknown, Err: errLost}
}

// apply does what the script does.
func (s *store) apply(p *partition, a Request) Result {
	if a.Producer == "" {
		p.write(a.Records)
		return Result{}
	}
	number := [2]uint64{a.Epoch, a.Seq}
	if p.known && a.Epoch < p.epoch {
		return Result{Status: Stale, Epoch: p.epoch, Err: errors.New("stale")}
	}
	if p.known && a.Epoch == p.epoch {
		if a.Seq <= p.seq {
			if before, ok := p.applied[number]; ok && !reflect.DeepEqual(before, a.Records) {
				s.t.Errorf("%s: %v was taken for a duplicate of other records", a.Target.Key, number)
			}
			return Result{Status: Duplicate}
		}
		if a.Seq > p.seq+1 {
			return Result{Status: Gap, Stored: p.number(), Err: errors.New("gap")}
		}
	}
	stored := p.number()
	p.past = append(p.past, partition{known: p.known, epoch: p.epoch, seq: p.seq, entries: p.entries})
	p.known, p.epoch, p.seq = true, a.Epoch, a.Seq
	p.applied[number] = a.Records
	p.write(a.Records)
	return Result{Stored: stored}
}

func (p *partition) number() Number {
	if !p.known {
		return Number{}
	}
	return Number{p.epoch, p.seq}
}

func (s *store) partial(p *partition, a Request, count int) Result {
	switch r := s.apply(p, a); {
	case r.Status != Written:
		return r
	case count < len(a.Records):
		was := p.past[len(p.past)-1]
		p.known, p.epoch, p.seq = true, a.Epoch, a.Seq-1
		if was.known && was.epoch == a.Epoch {
			p.seq = was.seq
		}
		delete(p.applied, [2]uint64{a.Epoch, a.Seq})
		p.entries = p.entries[:len(was.entries)+count]
	}
	return Result{Status: Partial, Count: count, Err: errType}
}

func (p *partition) write(records []Record) {
	p.entries = slices.Clip(p.entries)
	for _, r := range records {
		p.entries = append(p.entries, r.Fields[1])
	}
}

func (p *partition) rollback(n int) {
	if n = min(n, len(p.past)); n == 0 {
		return
	}
	was := p.past[len(p.past)-n]
	for _, e := range p.entries[len(was.entries):] {
		p.lost[e] = true
	}
	p.past = p.past[:len(p.past)-n]
	p.known, p.epoch, p.seq, p.entries = was.known, was.epoch, was.seq, was.entries
	p.life++
}
