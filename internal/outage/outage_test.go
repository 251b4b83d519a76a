package outage

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var (
	errRefused = errors.New("refused")
	errReset   = errors.New("reset")
)

// newOutage returns an Outage with reminders once a minute, and its clock.
func newOutage() (*Outage, *time.Time) {
	now := time.Unix(1000, 0)
	return New(time.Minute, func() time.Time { return now }), &now
}

func TestOutageLastsUntilNoPartFails(t *testing.T) {
	o, now := newOutage()
	assert.Equal(t, Failure{First: true, Report: true, Parts: 1}, o.Fail("a", errRefused))
	*now = now.Add(time.Second)
	assert.Equal(t, Failure{Lasted: time.Second, Parts: 2}, o.Fail("b", errRefused))
	assert.Equal(t, Failure{Lasted: time.Second, Parts: 2}, o.Fail("a", errRefused))
	_, over := o.Recover("never failed")
	assert.False(t, over)
	_, over = o.Recover("a")
	assert.False(t, over, "b still fails")
	assert.False(t, o.Failing("a"))
	assert.True(t, o.Failing("b"))
	lasted, over := o.Recover("b")
	assert.True(t, over)
	assert.Equal(t, time.Second, lasted)
	_, over = o.Recover("b")
	assert.False(t, over, "it is over already")
	assert.True(t, o.Fail("b", errRefused).First, "another outage")
}

func TestOutageIsReportedOncePerReminderInterval(t *testing.T) {
	o, now := newOutage()
	reports := 0
	for range 150 { // seconds
		if o.Fail("a", errRefused).Report {
			reports++
		}
		*now = now.Add(time.Second)
	}
	assert.Equal(t, 3, reports)
}

func TestUpdateReplacesTheReasonOfAFailingPart(t *testing.T) {
	o, _ := newOutage()
	same := errors.Is
	assert.False(t, o.Update("a", errRefused, nil), "the part works")
	o.Fail("a", errRefused)
	assert.False(t, o.Update("a", errRefused, same))
	assert.True(t, o.Update("a", errReset, same))
	assert.False(t, o.Update("a", errReset, same))
	assert.True(t, o.Update("a", errReset, nil))
}
