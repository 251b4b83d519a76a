package splits

import (
	"context"
	"maps"
	"time"
)

// condemner writes the letters of entries that are given up. It is a goroutine of its own, and
// writes one letter at a time: letters are rare.
type condemner[S judged] struct {
	within      time.Duration // of one call of the store
	writeWithin time.Duration // of one letter, which is as large as an entry
	backoff     func() Backoff
	judge       *judge[S]
	noter       *noter[S] // only its method store is used
	health      *health
	// refused are the entries whose letters could not be written. The field belongs to the
	// goroutine of run.
	refused map[*loneFailure]condemned[S]
}

// newCondemner returns a condemner. A call of the store ends within a time, and so does a read.
func newCondemner[S judged](n *noter[S], call, read time.Duration, backoff func() Backoff) *condemner[S] {
	return &condemner[S]{
		within: call, writeWithin: max(call, read), backoff: backoff, judge: n.judge, noter: n, health: n.health,
		refused: map[*loneFailure]condemned[S]{},
	}
}

// run works until stop ends. Its calls end with calls.
func (c *condemner[S]) run(stop, calls context.Context) {
	for sleepOr(stop, idleLoader, c.judge.verdictWanted) == nil {
		for _, one := range c.judge.takeCondemned() {
			c.condemn(stop, calls, one)
		}
		c.forgetRefused()
		if err := c.judge.whyNone(); err != nil {
			c.health.fail(task{kind: taskVerdict}, err)
		} else {
			c.health.ok(task{kind: taskVerdict})
		}
	}
}

// condemn writes a letter, notes it, and then resolves the entry. The order matters: a member that
// dies in between loses nothing. If that does not succeed, the entry is handed out again.
func (c *condemner[S]) condemn(stop, calls context.Context, one condemned[S]) {
	if !c.judge.owns(one) {
		c.judge.pardon(one, false)
		return
	}
	if err := c.write(stop, one.letter); err != nil {
		if stop.Err() != nil {
			return
		}
		c.refused[one.lone] = one
		c.health.fail(one.task(), &LetterError{one.letter.Split, one.letter.Entry.Offset, err})
		c.judge.pardon(one, true)
		return
	}
	backoff := c.backoff()
	for stop.Err() == nil && c.judge.owns(one) {
		err := c.note(calls, one)
		if err == nil {
			c.judge.set.bury(one)
			c.health.observer.DeadLettered(one.letter)
			return
		}
		if isOver(err) {
			break
		}
		_ = sleepOr(stop, backoff.NextBackOff(), nil)
	}
	c.judge.pardon(one, true)
}

// write writes a letter until ctx ends: it can be written again.
func (c *condemner[S]) write(ctx context.Context, l Letter) error {
	ctx, cancel := context.WithTimeout(ctx, c.writeWithin)
	defer cancel()
	return c.judge.cfg.Letters.Write(ctx, l)
}

// note stores that the letter is written.
func (c *condemner[S]) note(ctx context.Context, one condemned[S]) error {
	ctx, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	return c.noter.store(ctx, []noteTask[S]{c.judge.lettered(one)})[0]
}

// task returns the task of writing the letter.
func (c condemned[S]) task() task { return task{taskLetter, c.letter.Split.Key} }

// forgetRefused ends the reports of letters that could not be written and are not to be written any
// more: a later attempt has succeeded, or the entries were processed.
func (c *condemner[S]) forgetRefused() {
	forgotten := map[task]bool{}
	maps.DeleteFunc(c.refused, func(_ *loneFailure, one condemned[S]) bool {
		gone := !c.judge.owns(one)
		forgotten[one.task()] = forgotten[one.task()] || gone
		return gone
	})
	for _, one := range c.refused {
		delete(forgotten, one.task()) // another letter of the split can't be written
	}
	for t := range forgotten {
		c.health.ok(t)
	}
}
