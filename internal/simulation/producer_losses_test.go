package simulation

import (
	"sync"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/splits"
)

// A rollback removes records that were reported to producers as written. Each producer notices with
// its next append to the same partition, and counts the missing records.

// noteTakenBack records that a split lost the records that were appended after the given number of
// appends. The caller holds the lock.
func (o *oracle) noteTakenBack(s splits.Split, after int) {
	for _, r := range o.records {
		if r.split == s.Key && r.appended && r.appendOrder > after {
			if !r.takenBack {
				r.losses++
			}
			r.takenBack = true
		}
	}
	for _, p := range o.losses {
		delete(p.answeredSince, s.Key)
		p.histories[s.Key]++
	}
}

// losses compares what one producer reports as lost with what the store lost.
type losses struct {
	oracle *oracle
	name   string
	// The lock of the oracle guards both: the partitions that have answered the producer since
	// their last loss, and the number of losses of each partition.
	answeredSince map[string]bool
	histories     map[string]int

	mu      sync.Mutex
	counted map[string]int64
	inexact map[string]bool
}

func (o *oracle) newLosses(name string) *losses {
	l := &losses{
		oracle:        o,
		name:          name,
		answeredSince: map[string]bool{},
		histories:     map[string]int{},
		counted:       map[string]int64{},
		inexact:       map[string]bool{},
	}
	o.losses = append(o.losses, l)
	return l
}

// noteUnnoticeable records that the producer can't notice what the partition lost so far. The
// caller holds the lock of the oracle.
func (l *losses) noteUnnoticeable(key string) {
	if l.answeredSince[key] {
		return
	}
	for _, r := range l.oracle.records {
		if r.split == key && r.producer == l.name {
			r.unnoticeable = r.takenBack
		}
	}
}

// history returns the number of the partition's present history.
func (l *losses) history(key string) int {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	return l.histories[key]
}

// noteReply records a reply to the producer, sent in the given history. Some replies reveal what is
// missing.
func (l *losses) noteReply(key string, history int, r appender.Result) {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	if l.histories[key] == history && (r.Status == appender.Written || r.Status == appender.Gap) {
		l.answeredSince[key] = true
	}
}

// Retried implements appender.Observer.
func (*losses) Retried(appender.Target, appender.Result) {}

// RetriesEnded implements appender.Observer.
func (*losses) RetriesEnded(appender.Target, error) {}

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

// check compares the losses that the producer counted with the actual losses.
func (l *losses) check() {
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
		if r.takenBack && !r.unnoticeable {
			least[r.split]++
		}
	}
	for key := range l.answeredSince {
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
