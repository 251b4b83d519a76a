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
// timeout of the control client. The first pipeline inspects firstPipeline streams; later pipelines
// inspect up to largestPipeline streams.
const (
	firstPipeline   = 4
	largestPipeline = 16
	// largestPipelineBytes is the size of all these entries together, in bytes, above which the
	// next pipeline inspects fewer streams.
	largestPipelineBytes = 4 << 20
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
		func(ctx context.Context, indexes []int) { l.inspectAll(ctx, all, indexes, states) },
	)
	failed := 0
	for i := range states {
		if rediserr.Classify(states[i].Err) == rediserr.ClassConnection {
			failed++
		}
	}
	if failed == len(all) {
		return nil, states[0].Err
	}
	return states, nil
}

// inspectAll sets the states of the splits at the given indexes. It stops sending requests when a
// reply does not arrive.
func (l *Log) inspectAll(ctx context.Context, all []splits.Split, indexes []int, states []splits.State) {
	size := firstPipeline
	for len(indexes) > 0 {
		pipeline := indexes[:min(size, len(indexes))]
		indexes = indexes[len(pipeline):]
		ends := l.inspectSome(ctx, all, pipeline, states)
		if err := states[pipeline[0]].Err; rediserr.Classify(err) == rediserr.ClassConnection {
			for _, index := range indexes {
				states[index].Err = err
			}
			return
		}
		if ends > largestPipelineBytes {
			size = max(1, size/2)
		} else {
			size = min(2*size, largestPipeline)
		}
	}
}

// inspectSome sets the states of a few splits. It returns the size of their first and last entries
// together, in bytes.
func (l *Log) inspectSome(ctx context.Context, all []splits.Split, indexes []int, states []splits.State) (ends int) {
	inspections := make([]*inspection, len(indexes))
	for again := true; again; again = l.reduceReplies(inspections) && ctx.Err() == nil {
		pipe := l.control.Pipeline()
		for i, index := range indexes {
			inspections[i] = l.inspect(ctx, pipe, all[index])
		}
		exec(ctx, pipe)
	}
	l.complete(ctx, inspections)
	for i, index := range indexes {
		states[index] = inspections[i].state()
		if bytes := inspections[i].ends(); bytes < math.MaxInt {
			ends += bytes
		}
	}
	return ends
}
