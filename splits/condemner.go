package splits

import (
	"context"
	"errors"
)

// condemner writes the letters of entries that are given up. It is a goroutine of its own, and
// writes one letter at a time: letters are rare.
type condemner struct {
	cfg    Config
	set    *splitSet
	health *health
}

// run works until stop ends. Its calls end with calls.
func (c *condemner) run(stop, calls context.Context) {
	for sleepOr(stop, idleLoader, c.set.verdictWanted) == nil {
		for _, one := range c.set.takeCondemned() {
			c.condemn(stop, calls, one)
		}
		if c.set.isSuspended() {
			c.health.fail(task{kind: taskVerdict}, errOutputDown)
		} else {
			c.health.ok(task{kind: taskVerdict})
		}
	}
}

// condemn writes a letter, notes it, and then resolves the entry. The order matters: a member that
// dies in between loses nothing.
func (c *condemner) condemn(stop, calls context.Context, one condemned) {
	if !c.set.holds(one) {
		return
	}
	failing := task{taskLetter, one.letter.Split.Key}
	if err := c.write(calls, one.letter); err != nil {
		c.health.fail(failing, &LetterError{one.letter.Split, one.letter.Entry.Offset, err})
		c.set.pardon(one)
		return
	}
	backoff := c.cfg.Backoff()
	for stop.Err() == nil && c.set.holds(one) {
		err := c.note(calls, one)
		switch {
		case err == nil:
			if c.set.bury(one) {
				c.cfg.Observer.DeadLettered(one.letter)
			}
			c.health.ok(failing)
			return
		case errors.Is(err, ErrFenced):
			c.set.fenced(one.split.lease, causeOf(err))
			return
		}
		_ = sleepOr(stop, backoff.NextBackOff(), nil)
	}
}

func (c *condemner) write(ctx context.Context, l Letter) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	return c.cfg.DeadLetters.Letters.Write(ctx, l)
}

// note stores that the letter is written.
func (c *condemner) note(ctx context.Context, one condemned) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	a := one.lone.attempted(c.cfg.Now())
	a.Lettered = true
	return c.cfg.Leases.Note(ctx, []Note{{Lease: one.split.lease, Failing: []Attempted{a}}})[0]
}
