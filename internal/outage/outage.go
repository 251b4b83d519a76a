// Package outage limits what the components log about an outage, however many requests fail in it:
// one line when it begins, a reminder now and then while it lasts, and one line when it is over.
package outage

import (
	"sync"
	"time"
)

// Outage tracks which parts of a component fail at the moment, such as single partitions. An outage
// lasts as long as any part fails. The methods may be called concurrently.
type Outage struct {
	remind time.Duration
	now    func() time.Time

	mu sync.Mutex
	// reasons holds the last recorded error of each part that fails.
	reasons map[string]error
	// since is when the first part began to fail. reported is when Fail last asked for a log line.
	since, reported time.Time
}

// Failure describes the outage after one more failed request.
type Failure struct {
	// First is true for the failure that begins the outage.
	First bool
	// Report is true if the failure should be logged: it is the first one, or the last log line is
	// at least one reminder interval old.
	Report bool
	// Lasted is the age of the outage.
	Lasted time.Duration
	// Parts is the number of parts that fail.
	Parts int
}

// New returns an Outage without failing parts. While an outage lasts, Fail asks for one log line
// per remind interval.
func New(remind time.Duration, now func() time.Time) *Outage {
	return &Outage{remind: remind, now: now, reasons: map[string]error{}}
}

// Fail records that a part failed with err.
func (o *Outage) Fail(part string, err error) Failure {
	o.mu.Lock()
	defer o.mu.Unlock()
	now, first := o.now(), len(o.reasons) == 0
	if first {
		o.since = now
	}
	o.reasons[part] = err
	report := first || now.Sub(o.reported) >= o.remind
	if report {
		o.reported = now
	}
	return Failure{First: first, Report: report, Lasted: now.Sub(o.since), Parts: len(o.reasons)}
}

// Recover records that a part does not fail any more. It returns the duration of the outage, and
// over = true if this was the last failing part.
func (o *Outage) Recover(part string) (lasted time.Duration, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, failing := o.reasons[part]; !failing {
		return 0, false
	}
	delete(o.reasons, part)
	return o.now().Sub(o.since), len(o.reasons) == 0
}

// Failing reports whether a part fails.
func (o *Outage) Failing(part string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, failing := o.reasons[part]
	return failing
}

// Update replaces the recorded error of a part that fails, unless the part works or same returns
// true for the recorded error and err. It reports whether it replaced the error. A nil same always
// returns false.
func (o *Outage) Update(part string, err error, same func(before, err error) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, failing := o.reasons[part]
	if !failing || same != nil && same(before, err) {
		return false
	}
	o.reasons[part] = err
	return true
}
