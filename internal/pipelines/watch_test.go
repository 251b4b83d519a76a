package pipelines

import (
	"context"
	"time"
)

// watch waits until there is a reason to stop the stream.
func (r *run) watch(ctx context.Context, ended chan error) (hard, over bool, v *verdict, err error) {
	select {
	case <-r.world.written: // by the stream before: a read_until that is stopped before it has begun never ends (input_read_until.go)
	default:
	}
	looks := time.NewTicker(lookEvery)
	defer looks.Stop()
	var doom, restored <-chan time.Time
	if r.plan.doomed {
		doom = time.After(doomedFor)
	}
	for {
		select {
		case <-ctx.Done():
			return true, false, nil, ctx.Err()
		case result := <-ended:
			ended <- result
			return false, false, nil, result
		case <-doom:
			return true, true, nil, nil
		case <-r.world.written:
			if stop := r.nextStop(); stop != nil {
				return stop.hard, false, nil, nil
			}
			if length := r.nextOutage(); length > 0 {
				restored = time.After(length)
			}
		case <-restored:
			r.proxy.Pass()
		case <-looks.C:
			over, v, err := r.look(ctx)
			if over || v != nil || err != nil {
				return false, over, v, err
			}
		}
	}
}

// nextStop returns the next stop if it is due.
func (r *run) nextStop() *stop {
	writes, _ := r.world.took()
	if len(r.stops) == 0 || writes < r.stops[0].after {
		return nil
	}
	next := r.stops[0]
	r.stops = r.stops[1:]
	kind := "graceful"
	if next.hard {
		kind = "hard"
	}
	r.tally.hit("stop", kind)
	return &next
}

// nextOutage begins the next outage if it is due, and returns how long it lasts.
func (r *run) nextOutage() time.Duration {
	writes, _ := r.world.took()
	if len(r.outages) == 0 || writes < r.outages[0].after {
		return 0
	}
	next := r.outages[0]
	r.outages = r.outages[1:]
	if next.silent {
		r.tally.hit("outage", "silent")
		r.proxy.Blackhole()
	} else {
		r.tally.hit("outage", "connections reset")
		r.proxy.Reset()
	}
	return next.length
}
