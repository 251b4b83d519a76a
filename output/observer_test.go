package output

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/internal/appender"
)

func newTestObserver() (*observer, *clock, *journal, *[]string) {
	var lost []string
	j, c := &journal{}, &clock{at: time.Unix(1000, 0)}
	o := newObserver(j.Resources(), func(topic string) { lost = append(lost, topic) })
	o.now = c.now
	return o, c, j, &lost
}

func TestOutageLogsOneLineWhenItBeginsAndOneWhenItEnds(t *testing.T) {
	o, clock, journal, _ := newTestObserver()
	a, b := appender.Target{Topic: "t", Key: "t:0"}, appender.Target{Topic: "t", Partition: 1, Key: "t:1"}
	o.RetriesEnded(a, nil)
	for range 5 {
		o.Retried(a, appender.Result{Err: errors.New("refused")})
		o.Retried(b, appender.Result{Err: errors.New("refused")})
	}
	clock.at = clock.at.Add(3 * time.Second)
	o.RetriesEnded(a, nil)
	assert.Empty(t, journal.Lines("works again"))
	o.RetriesEnded(b, nil)
	o.RetriesEnded(b, nil)
	assert.Len(t, journal.Lines("is being retried: refused"), 1)
	assert.Len(t, journal.Lines("works again after 3s"), 1)
}

func TestLongOutageIsLoggedOnceAMinute(t *testing.T) {
	o, clock, journal, _ := newTestObserver()
	for range 150 { // seconds
		o.Retried(appender.Target{Topic: "t", Key: "t:0"}, appender.Result{Err: errors.New("refused")})
		clock.at = clock.at.Add(time.Second)
	}
	assert.Len(t, journal.Lines("Writing fails and is being retried: refused"), 1)
	assert.Len(t, journal.Lines("still being retried"), 2)
	assert.Len(
		t,
		journal.Lines(
			"has failed for 1m0s and is still being retried, waiting partitions: 1. Last error: refused",
		),
		1,
	)
}

// When the append of an unused topic had been given up, no later outage was logged.
func TestNextOutageIsLoggedAfterAnAppendWasGivenUp(t *testing.T) {
	o, _, journal, _ := newTestObserver()
	gone, used := appender.Target{Topic: "gone", Key: "gone"}, appender.Target{Topic: "used", Key: "used"}
	o.Retried(gone, appender.Result{Err: errors.New("refused")})
	o.RetriesEnded(gone, errors.New("gave up"))
	assert.Len(t, journal.Lines("ended after 0s without success, and messages failed: gave up"), 1)
	assert.Empty(t, journal.Lines("works again"))
	for range 2 {
		o.Retried(used, appender.Result{Err: errors.New("refused")})
		o.RetriesEnded(used, nil)
	}
	assert.Len(t, journal.Lines("is being retried"), 3, "each outage")
	assert.Len(t, journal.Lines("works again"), 2)
}

func TestGapWarnsOnceAMinuteAndExpiresTheTopic(t *testing.T) {
	o, clock, journal, lost := newTestObserver()
	for p := range 5 {
		o.Gap(appender.Target{Topic: "t", Partition: p, Key: "t"}, appender.Lost{Records: 7, Exact: true})
	}
	assert.Len(t, *lost, 5)
	assert.Len(t, journal.Lines("acknowledged entries of t"), 1)
	clock.at = clock.at.Add(warnInterval)
	o.Gap(appender.Target{Topic: "t", Key: "t"}, appender.Lost{Records: 7})
	assert.Len(t, journal.Lines("acknowledged entries of t"), 2)
}

func TestFailedTrimWarnsOnceAMinute(t *testing.T) {
	o, _, journal, _ := newTestObserver()
	for range 3 {
		o.trimFailed(appender.Target{Topic: "t", Key: "t"}, errors.New("no permission"))
	}
	assert.Len(t, journal.Lines("no permission"), 1)
}
