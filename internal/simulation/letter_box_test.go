package simulation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// letterBox stores the letters of a schedule, as a store that recognizes a letter that it has.
type letterBox struct {
	counts *counts

	mu      sync.Mutex
	letters map[letterID]bool
	until   time.Time // when the present fault ends
	fault   boxFault
	healed  chan struct{} // closed when all faults end
}

// letterID identifies the letter of an entry.
type letterID struct {
	split  string
	offset splits.Offset
	record string
}

// boxFault is how a letter box fails.
type boxFault int

const (
	refuses        boxFault = iota
	hangs                   // until the request ends
	storesSilently          // the letter, without an answer
	boxFaults
)

var (
	errBoxDown    = errors.New("simulation: the store of letters is down")
	errBoxNoReply = errors.New("simulation: the store of letters gives no answer")
)

func newLetterBox(c *counts) *letterBox {
	return &letterBox{counts: c, letters: map[letterID]bool{}, healed: make(chan struct{})}
}

// fail makes the box fail for a while. It returns false if it fails already.
func (b *letterBox) fail(f boxFault, d time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.until) {
		return false
	}
	b.fault, b.until = f, time.Now().Add(d)
	return true
}

// heal ends all faults.
func (b *letterBox) heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = time.Time{}
	close(b.healed)
}

// now returns the present fault, and when it ends.
func (b *letterBox) now() (f boxFault, left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault, time.Until(b.until)
}

// store stores a letter, by calling keep, unless it fails. fresh is true if the box did not have
// it.
func (b *letterBox) store(ctx context.Context, id letterID, keep func(fresh bool)) error {
	f, left := b.now()
	switch {
	case left <= 0:
	case f == refuses:
		b.counts.count("letter refused")
		return errBoxDown
	case f == hangs:
		b.counts.count("letter not answered")
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.healed:
		case <-timer.C:
		}
	}
	b.mu.Lock()
	fresh := !b.letters[id]
	b.letters[id] = true
	b.mu.Unlock()
	keep(fresh)
	if left > 0 && f == storesSilently {
		b.counts.count("letter stored without an answer")
		return errBoxNoReply
	}
	return nil
}

// letterOracle is an oracle that checks letters.
type letterOracle interface {
	// checkLetter checks an entry that a process gives up, and returns in which row it does so, if
	// that is certain; see letterBook.row.
	checkLetter(owner string, l splits.Letter) (row int, certain bool)
	// noteLetter records that a letter is stored. fresh is false if it was stored before. row is
	// negative if it is not certain.
	noteLetter(owner string, l splits.Letter, row int, fresh bool)
}

// deadLetters returns the configuration of dead letters of a process.
func (h *host) deadLetters(box *letterBox, o letterOracle, owner string) splits.DeadLetters {
	if !h.plan.deadLetters {
		return splits.DeadLetters{}
	}
	d := splits.DeadLetters{
		Letters:       clientLetters{h.faults.Letters(&auditedLetters{box, o, owner}), o, owner},
		MaxDeliveries: h.plan.maxDeliveries, MaxBackoff: h.plan.maxBackoff, MinAge: h.plan.minAge,
	}
	if h.plan.match {
		d.Match = func(err error) bool { return errors.Is(err, errUnfit) }
	}
	return d
}

// clientLetters checks what a process gives up, when it decides so.
type clientLetters struct {
	splits.Letters
	oracle letterOracle
	owner  string
}

// decidedIn is the context key of the row in which an entry was given up; see letterBook.row.
type decidedIn struct{}

func (c clientLetters) Write(ctx context.Context, l splits.Letter) error {
	row, ok := c.oracle.checkLetter(c.owner, l)
	if !ok {
		row = -1
	}
	return c.Letters.Write(context.WithValue(ctx, decidedIn{}, row), l)
}

// auditedLetters reports letters to the oracle when they are stored.
type auditedLetters struct {
	box    *letterBox
	oracle letterOracle
	owner  string
}

func (a *auditedLetters) Write(ctx context.Context, l splits.Letter) error {
	row, _ := ctx.Value(decidedIn{}).(int)
	id := letterID{l.Split.Key, l.Entry.Offset, l.Entry.Fields[1]}
	return a.box.store(ctx, id, func(fresh bool) { a.oracle.noteLetter(a.owner, l, row, fresh) })
}
