package simulation

import (
	"sync"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/splits"
)

// A rollback takes back records that producers were told to be written. Each producer finds out
// with its next append to the same partition, and counts what is missing.

// undone takes note that the records of a split which were appended after a turn are taken back.
// The lock is held.
func (o *oracle) undone(s splits.Split, turn int) {
	for _, r := range o.records {
		if r.split == s.Key && r.appended && r.turn > turn {
			if !r.vanished {
				r.losses++
			}
			r.vanished = true
		}
	}
	for _, p := range o.losses {
		delete(p.met, s.Key)
		p.histories[s.Key]++
	}
}

// losses are what one producer says of one store that went back.
type losses struct {
	oracle *oracle
	name   string
	// Guarded by the oracle's lock: partitions from which it had an answer since they were taken
	// back, and how often they were.
	met       map[string]bool
	histories map[string]int

	mu      sync.Mutex
	counted map[string]int64
	inexact map[string]bool
}

func (o *oracle) newLosses(name string) *losses {
	l := &losses{
		oracle:    o,
		name:      name,
		met:       map[string]bool{},
		histories: map[string]int{},
		counted:   map[string]int64{},
		inexact:   map[string]bool{},
	}
	o.losses = append(o.losses, l)
	return l
}

// unnoticed takes note that the producer has no way to learn what a partition lost before. The lock
// of the oracle is held.
func (l *losses) unnoticed(key string) {
	if l.met[key] {
		return
	}
	for _, r := range l.oracle.records {
		if r.split == key && r.producer == l.name {
			r.unnoticed = r.vanished
		}
	}
}

// history tells the histories of a partition apart.
func (l *losses) history(key string) int {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	return l.histories[key]
}

// answered takes note of an answer that the producer gets, given in this history: from some it can
// tell what is missing.
func (l *losses) answered(key string, history int, r appender.Result) {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	if l.histories[key] == history && (r.Status == appender.Written || r.Status == appender.Gap) {
		l.met[key] = true
	}
}

// Retried implements appender.Observer.
func (*losses) Retried(appender.Target, appender.Result) {}

// Settled implements appender.Observer.
func (*losses) Settled(appender.Target, error) {}

// Deduplicated implements appender.Observer.
func (*losses) Deduplicated(appender.Target) {}

// Gap implements appender.Observer.
func (l *losses) Gap(t appender.Target, lost appender.Lost) {
	l.oracle.note(l.name, t.Key, "counts %d lost (exact: %v)", lost.Records, lost.Exact)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counted[t.Key] += lost.Records
	l.inexact[t.Key] = l.inexact[t.Key] || !lost.Exact
}

// judge compares what the producer has counted with what was taken back.
func (l *losses) judge() {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	least, most := map[string]int64{}, map[string]int64{}
	for _, r := range l.oracle.records {
		if r.producer != l.name || !r.written {
			continue
		}
		most[r.split] += r.losses
		if r.vanished && !r.unnoticed {
			least[r.split]++
		}
	}
	for key := range l.met {
		least, most := least[key], most[key]
		if counted := l.counted[key]; counted > most || counted < least && !l.inexact[key] {
			l.oracle.violated(
				key,
				"%s counts %d records as lost, but %d to %d were (inexact: %v)",
				l.name,
				counted,
				least,
				most,
				l.inexact[key],
			)
		}
	}
}
