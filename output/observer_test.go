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

func TestTroubleIsOneLineAtItsBeginningAndOneAtItsEnd(t *testing.T) {
	o, clock, journal, _ := newTestObserver()
	a, b := appender.Target{Topic: "t", Key: "t:0"}, appender.Target{Topic: "t", Partition: 1, Key: "t:1"}
	o.written(a)
	for range 5 {
		o.Retried(a, appender.Result{Err: errors.New("refused")})
		o.Retried(b, appender.Result{Err: errors.New("refused")})
	}
	clock.at = clock.at.Add(3 * time.Second)
	o.written(a)
	assert.Empty(t, journal.Lines("works again"))
	o.written(b)
	o.written(b)
	assert.Len(t, journal.Lines("is being retried: refused"), 1)
	assert.Len(t, journal.Lines("works again after 3s"), 1)
}

func TestGapsAreWarnedOfOnceAMinuteAndHaveTheTopicLookedAt(t *testing.T) {
	o, clock, journal, lost := newTestObserver()
	for p := range 5 {
		o.Gap(appender.Target{Topic: "t", Partition: p, Key: "t"}, appender.Lost{Records: 7, Exact: true})
	}
	assert.Len(t, *lost, 5)
	assert.Len(t, journal.Lines("does not know earlier appends"), 1)
	clock.at = clock.at.Add(warnQuiet)
	o.Gap(appender.Target{Topic: "t", Key: "t"}, appender.Lost{Records: 7})
	assert.Len(t, journal.Lines("does not know earlier appends"), 2)
}

func TestFailureToTrimIsWarnedOfOnceAMinute(t *testing.T) {
	o, _, journal, _ := newTestObserver()
	for range 3 {
		o.trimFailed(appender.Target{Topic: "t", Key: "t"}, errors.New("no permission"))
	}
	assert.Len(t, journal.Lines("no permission"), 1)
}
