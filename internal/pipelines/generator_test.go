package pipelines

import (
	"strconv"
	"time"
)

// generator builds a plan from draws, and keeps what later components have to know of earlier ones.
type generator struct {
	d    *draw
	plan *plan

	strict bool // error_handling.strict
	// merged: bodies are not single JSON documents any more.
	merged bool
	// reorders: a processor changes the order of messages.
	reorders bool
	// fails: there is a processor that fails.
	fails bool
	// retriesForever: an output retries forever.
	retriesForever bool
	// batchedInput: an input merges batches of rafka.
	batchedInput bool
	// finalInput: a read_until waits for the acknowledgement of a batch.
	finalInput bool
	// endingInput: an input ends while batches are in the pipeline.
	endingInput bool
	// batches: a processor splits a batch into several.
	batches bool
	// failFast: there is a broker with the pattern fan_out_fail_fast.
	failFast bool
	// noHardStops: an output of the engine never ends after a hard stop.
	noHardStops bool

	sinks, flaky, caches int
	sinkNames            []string // of the sinks with scheduled faults
	// fallbackSinks are the sinks whose refused messages a fallback accepts.
	fallbackSinks []string
	flakyNames    []string // of the flaky processors
}

// number returns a number as text.
func number(n int) string { return strconv.Itoa(n) }

// drawFaults draws the faults.
func (g *generator) drawFaults() {
	d, total := g.d, g.plan.count()
	from := len(g.plan.faults)
	add := func(t fault) { g.plan.faults = append(g.plan.faults, t) }
	d.items(4, 80, func() {
		component := ""
		if len(g.sinkNames) > 0 {
			component = pick(d, g.sinkNames...)
		}
		kinds := []kind{oneMessage, wholeBatch, partOfOne}
		if !g.failFast {
			kinds = append(kinds, everything)
		}
		switch {
		case len(g.flakyNames) > 0 && d.chance(30):
			add(
				fault{
					kind:      inPipeline,
					component: pick(d, g.flakyNames...),
					number:    d.intN(total),
					times:     d.between(1, 3),
				},
			)
		case component == "":
		default:
			add(
				fault{
					kind:      pick(d, kinds...),
					component: component,
					number:    d.intN(total),
					from:      d.intN(6),
					times:     d.between(1, 3),
				},
			)
		}
	})
	if len(g.fallbackSinks) > 0 && d.chance(40) {
		add(fault{kind: forever, component: pick(d, g.fallbackSinks...), number: d.intN(total)})
	}
	// For a message that no output accepts, the test checks the commits when the run is ended, so
	// it must be possible to end the run.
	if len(g.sinkNames) > 0 && !g.noHardStops && len(g.plan.faults) == from && !g.plan.skipsRejected && d.chance(40) {
		add(fault{kind: forever, component: pick(d, g.sinkNames...), number: d.intN(total)})
		g.plan.blocked = true
	}
}

// drawStops draws where the run is interrupted.
func (g *generator) drawStops() {
	g.d.items(2, 25, func() {
		s := stop{after: g.d.between(1, 8), hard: g.d.chance(60) && !g.noHardStops}
		for _, earlier := range g.plan.stops {
			s.after = max(s.after, earlier.after+1)
		}
		g.plan.stops = append(g.plan.stops, s)
	})
}

// drawOutages draws when Redis is unavailable.
func (g *generator) drawOutages() {
	g.d.items(1, 5, func() {
		g.plan.outages = append(g.plan.outages, outage{
			after: g.d.between(
				1,
				6,
			),
			silent: g.d.chance(50),
			length: time.Duration(g.d.between(20, 300)) * time.Millisecond,
		})
	})
}
