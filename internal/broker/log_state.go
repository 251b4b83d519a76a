package broker

import (
	"context"
	"math"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// These constants limit how many streams one pipeline inspects. Each stream costs the server as
// much as copying its first and its last entry a few times, and the reply must arrive before the
// timeout of the control client. The first pipeline inspects firstLooks streams; later pipelines
// inspect up to lookedAtOnce streams.
const (
	firstLooks   = 4
	lookedAtOnce = 16
	// looksBytes is the size of all these entries together, in bytes, above which the next pipeline
	// inspects fewer streams.
	looksBytes = 4 << 20
)

// State returns the current states of the streams of the splits. It sends a few pipelines to each
// node. If the request for one split fails, the state of this split has Err set. State returns an
// error only if no split got a reply.
func (l *Log) State(ctx context.Context, all []splits.Split) ([]splits.State, error) {
	if len(all) == 0 {
		return nil, nil
	}
	states := make([]splits.State, len(all))
	keys := make([]string, len(all))
	for i, split := range all {
		keys[i] = split.Key
	}
	script.EachNode(
		ctx,
		l.control,
		keys,
		func(ctx context.Context, places []int) { l.inspectAll(ctx, all, places, states) },
	)
	unanswered := 0
	for i := range states {
		if rediserr.Classify(states[i].Err) == rediserr.ClassConnection {
			unanswered++
		}
	}
	if unanswered == len(all) {
		return nil, states[0].Err
	}
	return states, nil
}

// inspectAll sets the states of the splits at the given places. It stops sending requests when a
// reply does not arrive.
func (l *Log) inspectAll(ctx context.Context, all []splits.Split, places []int, states []splits.State) {
	atOnce := firstLooks
	for len(places) > 0 {
		some := places[:min(atOnce, len(places))]
		places = places[len(some):]
		ends := l.inspectSome(ctx, all, some, states)
		if err := states[some[0]].Err; rediserr.Classify(err) == rediserr.ClassConnection {
			for _, place := range places {
				states[place].Err = err
			}
			return
		}
		if ends > looksBytes {
			atOnce = max(1, atOnce/2)
		} else {
			atOnce = min(2*atOnce, lookedAtOnce)
		}
	}
}

// inspectSome sets the states of a few splits. It returns the size of their first and last entries
// together, in bytes.
func (l *Log) inspectSome(ctx context.Context, all []splits.Split, places []int, states []splits.State) (ends int) {
	inspections := make([]*inspection, len(places))
	for again := true; again; again = l.narrow(inspections) && ctx.Err() == nil {
		pipe := l.control.Pipeline()
		for i, place := range places {
			inspections[i] = l.inspect(ctx, pipe, all[place])
		}
		exec(ctx, pipe)
	}
	l.complete(ctx, inspections)
	for i, place := range places {
		states[place] = inspections[i].state()
		if bytes := inspections[i].ends(); bytes < math.MaxInt {
			ends += bytes
		}
	}
	return ends
}
