//go:build ledger

package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// hindsight is how long after its reading a message is judged: whoever read it, and was paused
	// since, has written its line by then.
	hindsight = 30 * time.Second
	// memory is how long it is remembered who read a message.
	memory = 2 * time.Minute
	// calmWithin bounds the time for which a partition with something to be read, or a producer,
	// may stand still without an excuse. Whoever is to take over may itself be struck meanwhile,
	// and so on.
	calmWithin = 3 * takeoverWithin
)

// audit judges, message by message and in the order of reading, what came out, while it comes.
// Apart from a few bits of each number, it remembers the last minutes only. It belongs to the
// goroutine of the test.
type audit struct {
	history *history
	commits sightings
	folios  []*folio // by producer, made when there is something to write into them

	heard     []record // in ledgers and not judged yet
	judgedTo  time.Time
	readers   map[int64][]delivery // of each number, of late
	forget    []remembered         // in order
	takeovers []*takeover
	done      []*takeover

	read, again int
	longest     map[string]lull      // of a partition, of a producer, and of all
	lastRead    map[string]time.Time // likewise of each
	causes      map[string]int       // of what was read again
	violations  []violation
	count       map[string]int // of violations by what they are
}

// remembered is a number whose readers can be forgotten some time after.
type remembered struct {
	line int64
	read time.Time
}

// lull is a time in which nothing new was read.
type lull struct {
	kind, of string
	from, to time.Time
}

func (s lull) length() time.Duration { return s.to.Sub(s.from) }

// violation is a broken promise.
type violation struct {
	what     string
	from, to time.Time
	text     string
	involved []string // processes
}

func newAudit(h *history, partitions int) *audit {
	return &audit{
		history: h, commits: make(sightings, partitions), readers: map[int64][]delivery{},
		longest: map[string]lull{}, lastRead: map[string]time.Time{}, causes: map[string]int{}, count: map[string]int{},
	}
}

// blame notes a violation. The first few are kept in full.
func (a *audit) blame(v violation) {
	const kept = 10
	if a.count[v.what]++; len(a.violations) < kept {
		a.violations = append(a.violations, v)
	}
}

// folio is that of the number's producer, and the number within its range.
func (a *audit) folio(line int64) (f *folio, n int64) {
	for int64(len(a.folios)) <= line/producerRange {
		a.folios = append(a.folios, newFolio(len(a.folios), len(a.commits)))
	}
	f = a.folios[line/producerRange]
	return f, line % producerRange
}

// acknowledge notes a number of an entry book.
func (a *audit) acknowledge(line int64) {
	f, n := a.folio(line)
	f.acknowledged.add(n)
}

// stand notes an entry of a stream; a stream's entries come in their order.
func (a *audit) stand(partition int, e entry) {
	f, n := a.folio(e.line)
	k := f.key(e.line)
	now := time.Now()
	switch {
	case f.keys[k] != e.key || f.partitions[k] != partition:
		a.blame(
			violation{
				what: "altered entries",
				from: now,
				to:   now,
				text: fmt.Sprintf("%+v in partition %d", e, partition),
			},
		)
	case !f.stands.add(n):
		a.blame(
			violation{
				what: "numbers twice in the streams",
				from: now,
				to:   now,
				text: fmt.Sprintf("%+v in partition %d", e, partition),
			},
		)
	case e.line < f.newest[k]:
		a.blame(violation{
			what: "keys out of order in the streams", from: now, to: now,
			text: fmt.Sprintf("%+v in partition %d after %d", e, partition, f.newest[k]),
		})
	}
	f.newest[k] = max(f.newest[k], e.line)
}

// hear notes a line of a ledger.
func (a *audit) hear(r record) {
	f, n := a.folio(r.Line)
	f.out.add(n)
	if r.read().Before(a.judgedTo) {
		a.blame(
			violation{
				what:     "lines too late to be judged",
				from:     r.read(),
				to:       time.Now(),
				text:     r.String(),
				involved: []string{r.by},
			},
		)
	}
	a.heard = append(a.heard, r)
}

// judge judges what was read before a moment, and forgets what is too old to matter.
func (a *audit) judge(until time.Time) {
	slices.SortStableFunc(a.heard, func(x, y record) int { return cmp.Compare(x.Nanos, y.Nanos) })
	ready, _ := slices.BinarySearchFunc(
		a.heard,
		until.UnixNano(),
		func(r record, at int64) int { return cmp.Compare(r.Nanos, at) },
	)
	for _, r := range a.heard[:ready] {
		a.judgeOne(r)
	}
	a.heard = append([]record(nil), a.heard[ready:]...)
	a.judgedTo = until
	old := 0
	for ; old < len(a.forget) && a.forget[old].read.Before(until.Add(-memory)); old++ {
		delete(a.readers, a.forget[old].line)
	}
	a.forget = append([]remembered(nil), a.forget[old:]...)
	a.commits.forget(until.Add(-memory))
	a.endTakeovers(until)
}

func (a *audit) judgeOne(r record) {
	a.read++
	f, n := a.folio(r.Line)
	k := f.key(r.Line)
	if f.keys[k] != r.Key || f.partitions[k] != r.Partition {
		a.blame(
			violation{
				what:     "altered messages",
				from:     r.read(),
				to:       r.read(),
				text:     r.String(),
				involved: []string{r.by},
			},
		)
		return
	}
	a.follow(r)
	if f.judged.add(n) {
		a.judgeFirst(f, k, r)
		a.forget = append(a.forget, remembered{r.Line, r.read()})
	} else {
		a.again++
		a.judgeAgain(r, a.readers[r.Line])
	}
	a.readers[r.Line] = append(a.readers[r.Line], r.delivery())
}

// judgeFirst checks order: the numbers of each key are first read in ascending order, and each
// consumer finishes what it was the first to read in that order too. And it takes the time.
func (a *audit) judgeFirst(f *folio, key int, r record) {
	last := f.latest[key]
	if r.Line < last.line || last.by == r.by && r.place < last.place {
		a.blame(violation{
			what: "order violations", from: r.read(), to: r.read(), involved: []string{last.by, r.by},
			text: fmt.Sprintf("%s, after number %d read by %s", r, last.line, last.by),
		})
	}
	f.latest[key] = firstRead{max(last.line, r.Line), r.by, r.place}
	a.progress(r)
}

// progress takes the time since anything new was read: of all, of the partition and of the
// producer. Producers never stop writing to all partitions; but if all of them do, a partition
// stands still from when there was something to be read.
func (a *audit) progress(r record) {
	written := time.UnixMilli(int64(r.offset.Millis))
	if s, known := a.lull("all", "all", r); known {
		a.note(s)
	}
	if s, known := a.lull("a partition", fmt.Sprint("partition ", r.Partition), r); known {
		if s.from.Before(written) {
			s.from = written
		}
		a.note(s)
		a.excuse(
			s,
			r,
			func() []blow { return a.history.excuses(s.from, s.to, a.commits.owners(r.Partition, s.from, s.to)) },
		)
	}
	producer := producerName(int(r.Line / producerRange))
	if s, known := a.lull("a producer", producer, r); known {
		a.note(s)
		a.excuse(s, r, func() []blow { return a.history.during(s.from, s.to, theServers, theMachine, producer) })
	}
}

// lull is that of somebody until now.
func (a *audit) lull(kind, of string, r record) (s lull, known bool) {
	last, known := a.lastRead[of]
	a.lastRead[of] = r.read()
	return lull{kind, of, last, r.read()}, known
}

func (a *audit) note(s lull) {
	if s.length() > a.longest[s.kind].length() {
		a.longest[s.kind] = s
	}
}

// excuse blames a lull that is too long without an excuse.
func (a *audit) excuse(s lull, r record, excuses func() []blow) {
	if s.length() <= calmWithin {
		return
	}
	if idle := calm(s.from, s.to, excuses()); idle > calmWithin {
		a.blame(violation{
			what: "standstills without a cause", from: s.from, to: s.to, involved: []string{r.by},
			text: fmt.Sprintf("%s for %s, of it %s in calm, until %s", s.of, s.length(), idle, r),
		})
	}
}

// judgeAgain finds out why a message was read again by looking at those who had read it before.
func (a *audit) judgeAgain(r record, before []delivery) {
	if len(before) == 0 {
		a.blame(violation{
			what:     "messages read again long after",
			from:     r.read(),
			to:       r.read(),
			text:     r.String(),
			involved: []string{r.by},
		})
		return
	}
	earliest := time.Unix(0, before[0].nanos)
	involved := []string{r.by}
	for _, d := range before {
		involved = append(involved, d.by)
	}
	inHand := a.hadInHand(r)
	if committed := a.commits.committed(r.Partition, r.read()); !committed.Before(r.offset) && !inHand {
		a.blame(violation{
			what: "messages read again though committed", from: earliest, to: r.read(), involved: involved,
			text: fmt.Sprintf("%s, read by %v before; committed: %s", r, involved[1:], committed),
		})
		return
	}
	for _, b := range a.history.during(earliest.Add(-takeoverWithin), r.read(), append(involved[1:], theServers, theMachine)...) {
		if b.effect != gentle {
			a.causes[b.what]++
			return
		}
	}
	if inHand {
		a.causes["it was in hand when its reader was frozen"]++
		return
	}
	a.blame(violation{
		what: "messages read again without a cause", from: earliest, to: r.read(), involved: involved,
		text: fmt.Sprintf("%s, read by %v from %s on", r, involved[1:], clock(earliest)),
	})
}

// hadInHand reports whether the reader may have taken the message before it was frozen, and gone on
// with it just now.
func (a *audit) hadInHand(r record) bool {
	about := a.history.during(r.read().Add(-time.Second), r.read(), r.by, theMachine)
	return slices.ContainsFunc(about, func(b blow) bool { return b.effect == freezing })
}
