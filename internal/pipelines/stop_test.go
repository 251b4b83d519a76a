package pipelines

import (
	"context"
	"time"
)

// awaitStop waits until there is a reason to stop the stream.
func (r *run) awaitStop(ctx context.Context, ended chan error) (hard, over bool, v *violation, err error) {
	select {
	// Ignore writes of the previous stream: a read_until that is stopped before it has started
	// never ends (input_read_until.go).
	case <-r.results.written:
	default:
	}
	checks := time.NewTicker(checkEvery)
	defer checks.Stop()
	var blocked, restored <-chan time.Time
	if r.plan.blocked {
		blocked = time.After(blockedFor)
	}
	for {
		select {
		case <-ctx.Done():
			return true, false, nil, ctx.Err()
		case result := <-ended:
			ended <- result
			return false, false, nil, result
		case <-blocked:
			return true, true, nil, nil
		case <-r.results.written:
			if stop := r.nextStop(); stop != nil {
				return stop.hard, false, nil, nil
			}
			if length := r.nextOutage(); length > 0 {
				restored = time.After(length)
			}
		case <-restored:
			r.proxy.Pass()
		case <-checks.C:
			over, v, err := r.checkRunning(ctx)
			if over || v != nil || err != nil {
				return false, over, v, err
			}
		}
	}
}

// nextStop returns the next stop if it is due.
func (r *run) nextStop() *stop {
	writes, _ := r.results.progress()
	if len(r.stops) == 0 || writes < r.stops[0].after {
		return nil
	}
	next := r.stops[0]
	r.stops = r.stops[1:]
	kind := "graceful"
	if next.hard {
		kind = "hard"
	}
	r.counts.count("stop", kind)
	return &next
}

// nextOutage starts the next outage if it is due, and returns its duration.
func (r *run) nextOutage() time.Duration {
	writes, _ := r.results.progress()
	if len(r.outages) == 0 || writes < r.outages[0].after {
		return 0
	}
	next := r.outages[0]
	r.outages = r.outages[1:]
	if next.silent {
		r.counts.count("outage", "silent")
		r.proxy.Blackhole()
	} else {
		r.counts.count("outage", "connections reset")
		r.proxy.Reset()
	}
	return next.length
}
