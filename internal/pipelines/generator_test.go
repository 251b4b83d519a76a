package pipelines

import (
	"strconv"
	"time"
)

// generator builds a plan out of draws, and keeps what later components have to know of earlier
// ones.
type generator struct {
	d    *draw
	plan *plan

	strict bool // error_handling.strict
	// merged says that bodies are no single JSON documents any more.
	merged bool
	// reorders says that a processor changes the order of messages.
	reorders bool
	// fails says that there is a processor that fails.
	fails bool
	// endless says that an output retries for ever.
	endless bool
	// batchedInput says that an input merges batches of rafka.
	batchedInput bool
	// finalInput says that a read_until waits for the answer to a batch.
	finalInput bool
	// endingInput says that an input ends by itself while batches are in the pipeline.
	endingInput bool
	// batches says that a processor makes several batches of one.
	batches bool
	// failFast says that there is a broker of the pattern fan_out_fail_fast.
	failFast bool
	// noHardStops says that an output of the engine never ends after a hard stop.
	noHardStops bool

	sinks, flaky, caches int
	names                []string // of the sinks that fail by schedule
	// taken are the sinks behind which a fallback takes what they refuse.
	taken []string
	flake []string // the names of the flaky processors
}

// number is a number as text.
func number(n int) string { return strconv.Itoa(n) }

// troubles draws what fails.
func (g *generator) troubles() {
	d, total := g.d, g.plan.count()
	from := len(g.plan.troubles)
	add := func(t trouble) { g.plan.troubles = append(g.plan.troubles, t) }
	d.items(4, 80, func() {
		place := ""
		if len(g.names) > 0 {
			place = pick(d, g.names...)
		}
		switch kinds := []kind{oneMessage, wholeBatch, partOfOne, everything}; {
		case len(g.flake) > 0 && d.chance(30):
			add(trouble{kind: inPipeline, place: pick(d, g.flake...), number: d.below(total), times: d.between(1, 3)})
		case place == "":
		default:
			add(
				trouble{
					kind:   pick(d, kinds...),
					place:  place,
					number: d.below(total),
					from:   d.below(6),
					times:  d.between(1, 3),
				},
			)
		}
	})
	if len(g.taken) > 0 && d.chance(40) {
		add(trouble{kind: forEver, place: pick(d, g.taken...), number: d.below(total)})
	}
	// What nothing takes is judged by what is committed when the run is ended, which has to be
	// possible.
	if len(g.names) > 0 && !g.noHardStops && len(g.plan.troubles) == from && !g.plan.passes && d.chance(40) {
		add(trouble{kind: forEver, place: pick(d, g.names...), number: d.below(total)})
		g.plan.doomed = true
	}
}

// stops draws where the run is interrupted.
func (g *generator) stops() {
	g.d.items(2, 25, func() {
		s := stop{after: g.d.between(1, 8), hard: g.d.chance(60) && !g.noHardStops}
		for _, earlier := range g.plan.stops {
			s.after = max(s.after, earlier.after+1)
		}
		g.plan.stops = append(g.plan.stops, s)
	})
}

// outages draws when Redis is away.
func (g *generator) outages() {
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
