package splits

import "time"

// failingState is what is to be stored of the entries of a split that fail. The lock of the set
// guards it.
type failingState struct {
	unnoted  []*loneFailure // entries whose stored attempts are to be replaced
	resolved []Offset       // entries whose stored attempts are to be removed
	// buried are resolved entries whose stored attempts are removed when the store has that: in a
	// position, or in an acknowledgement.
	buried []Offset
}

func (f *failingState) failures() *failingState { return f }

// noteTask is a request to change what is stored of the entries of one split that fail.
type noteTask[S judged] struct {
	of       S
	split    Split
	under    uint64 // see judged
	failing  []Attempted
	resolved []Offset
	lone     []*loneFailure // of failing
	kind     noteKind
	member   string // of noteAlive in a share group, as turn
	turn     int
	flight   *ShareSuspects // of noteFlight
}

// noteKind is the kind of a noteTask.
type noteKind int

const (
	noteChange noteKind = iota // changes what is stored of entries that fail
	noteAlive                  // says that this member is alive, or was under an earlier name
	noteFlight                 // says what is in flight, see shareSplit.flightToStore
	noteKinds
)

func (t noteTask[S]) on() Split { return t.split }

// note makes the noter store the attempts at an entry. The lock is held.
func (j *judge[S]) note(s S, l *loneFailure) {
	f := s.failures()
	if !l.unnoted {
		l.unnoted = true
		f.unnoted = append(f.unnoted, l)
	}
	j.wakeNoter(s)
}

// forget makes the noter remove what is stored of an entry. The lock is held.
func (j *judge[S]) forget(s S, at ...Offset) {
	if len(at) > 0 {
		f := s.failures()
		f.resolved = append(f.resolved, at...)
		j.wakeNoter(s)
	}
}

// wakeNoter makes the noter look at a split. The lock is held.
func (j *judge[S]) wakeNoter(s S) {
	j.notable[s] = true
	j.noteWanted.raise()
}

// noteAlive makes the noter tell the store that this member is alive. The lock is held.
func (j *judge[S]) noteAlive(task noteTask[S]) {
	task.kind = noteAlive
	j.alive = append(j.alive, task)
	j.noteWanted.raise()
}

// takeNotes returns what is to be stored.
func (j *judge[S]) takeNotes() (all []noteTask[S]) {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	all, j.alive = j.alive, nil
	for s := range j.notable {
		delete(j.notable, s)
		if s.over() {
			continue
		}
		f := s.failures()
		task := noteTask[S]{of: s, resolved: f.resolved}
		task.split, task.under = s.fence()
		for _, l := range f.unnoted {
			if l.unnoted = false; j.holds(s, l) {
				l.stored = true
				task.lone = append(task.lone, l)
				task.failing = append(task.failing, l.attempted(now))
			}
		}
		f.unnoted, f.resolved = nil, nil
		if len(task.failing)+len(task.resolved) > 0 {
			all = append(all, task)
		}
		if flight := s.flightToStore(now); flight != nil {
			all = append(all, noteTask[S]{
				of: s, split: task.split, under: task.under, kind: noteFlight, flight: flight,
			})
		}
	}
	return all
}

// lettered returns the request to store that the letter of an entry is written.
func (j *judge[S]) lettered(c condemned[S]) noteTask[S] {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	a := c.lone.attempted(now)
	a.Offset, a.Lettered, c.lone.stored = c.letter.Entry.Offset, true, true
	task := noteTask[S]{of: c.split, failing: []Attempted{a}}
	task.split, task.under = c.split.fence()
	return task
}

// attempted returns what is to be stored of the entry.
func (l *loneFailure) attempted(now time.Time) Attempted {
	return Attempted{
		Offset: l.ref.entry().Offset, Attempts: l.confirmed, Age: now.Sub(l.since), Cause: l.cause.Error(),
	}
}

// noteFailed makes the noter repeat a request whose outcome is unknown.
func (j *judge[S]) noteFailed(task noteTask[S]) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if task.kind == noteAlive {
		j.alive = append(j.alive, task)
		return
	}
	if _, under := task.of.fence(); under != task.under || task.of.over() {
		return
	}
	f := task.of.failures()
	f.resolved = append(f.resolved, task.resolved...)
	for _, l := range task.lone {
		if !l.unnoted {
			l.unnoted = true
			f.unnoted = append(f.unnoted, l)
		}
	}
	j.notable[task.of] = true // without a signal: the noter repeats it later
}
