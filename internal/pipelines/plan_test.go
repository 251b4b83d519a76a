package pipelines

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// plan is a pipeline, its topics, and its faults. It depends only on the draws.
type plan struct {
	draws []int
	spans []span

	topics      []topicPlan
	keys        int // number of keys; 0: messages have no key
	config      object
	requirement requirement
	// drops define which messages the pipeline can drop on purpose.
	drops []func(n int) bool
	// factors are the numbers of pieces into which messages are split, one after the other.
	factors      []int
	faults       []fault
	stops        []stop
	outages      []outage
	outputTopics []outputTopic // the topics that outputs write to

	// ordered: the pipeline writes the messages of one key in order.
	ordered bool
	// skipsRejected: the input skips rejected messages (auto_replay_nacks is false).
	skipsRejected bool
	// blocked: a message fails forever and no output accepts it. Such a run is stopped after a
	// while.
	blocked bool
	// members is how many inputs read the topics at the same time.
	members int
	used    map[string][]string // components, by their group in the counts
}

// topicPlan is a topic with the messages from first on.
type topicPlan struct {
	partitions, first, count int
	share                    bool // a share group reads it
}

// stop ends a stream after the sinks accepted a number of writes; the next stream of the run
// continues.
type stop struct {
	after int
	hard  bool // messages in the pipeline are abandoned
}

// outage makes Redis unavailable for a while after the sinks accepted a number of writes.
type outage struct {
	after  int
	silent bool // connections stay open but transfer nothing; else they are reset
	length time.Duration
}

// outputTopic is a topic that the sink of this name writes to.
type outputTopic struct {
	sink       string
	partitions int
}

// Placeholders in configurations for values that differ from run to run: its name, the server, and
// the time after which an idle input ends.
const (
	runMark  = "$RUN"
	urlMark  = "$URL"
	idleMark = "$IDLE"
)

// newPlan generates a plan.
func newPlan(d *draw) *plan {
	p := &plan{used: map[string][]string{}, members: 1}
	p.keys = d.intN(6)
	g := &generator{d: d, plan: p}
	input := g.input()
	g.strict = d.chance(20)
	processors := g.processors(scope{moves: !g.batchedInput, splits: !g.batchedInput, shapes: true}, 5, 75)
	output := g.output()
	p.config = object{
		"http":                 object{"enabled": false},
		"metrics":              object{"none": object{}},
		"cache_resources":      list{object{"label": "store", "memory": object{}}},
		"rate_limit_resources": list{object{"label": "fast", "local": object{"count": 1000000, "interval": "1s"}}},
		"input":                input,
		"pipeline":             withProcessors(object{"threads": d.between(1, 8)}, processors),
		"output":               output,
	}
	if g.strict {
		p.config["error_handling"] = object{"strict": true}
		p.use("setting", "error_handling.strict")
	}
	p.ordered = p.ordered && !g.reorders && !g.strict && !g.fails && !p.skipsRejected
	g.drawFaults()
	g.drawStops()
	g.drawOutages()
	p.draws, p.spans = d.recorded, d.spans
	return p
}

// yaml returns the configuration for a run on a server.
func (p *plan) yaml(run, url string, idle time.Duration) string {
	return strings.NewReplacer(runMark, run, urlMark, url, idleMark, idle.String()).Replace(yamlOf(p.config))
}

// use records that the plan has a component.
func (p *plan) use(group, component string) {
	if !slices.Contains(p.used[group], component) {
		p.used[group] = append(p.used[group], component)
	}
}

// mayDrop reports whether the pipeline can drop a message on purpose.
func (p *plan) mayDrop(n int) bool {
	return slices.ContainsFunc(p.drops, func(drops func(int) bool) bool { return drops(n) })
}

// count returns the number of messages.
func (p *plan) count() int {
	last := p.topics[len(p.topics)-1]
	return last.first + last.count
}

// Every noiseEvery-th message is noise, of which dedupe leaves one; every largeEvery-th is large.
const (
	noiseEvery = 9
	largeEvery = 11
	padding    = 3000
)

func isNoise(n int) bool { return n%noiseEvery == 4 }
func isLarge(n int) bool { return n%largeEvery == 6 }

// key returns the key of a message, "" if it has none.
func (p *plan) key(n int) string {
	if p.keys == 0 || n%5 == 3 {
		return ""
	}
	return fmt.Sprintf("k%d", n%p.keys)
}

// body returns the body of a message: one line of JSON that contains its token.
func (p *plan) body(n int) string {
	pad := 4
	if isLarge(n) {
		pad = padding
	}
	return fmt.Sprintf(
		`{"id":"%s","n":%d,"k":"%s","noise":%t,"pad":"%s"}`,
		tokenOf(n),
		n,
		p.key(n),
		isNoise(n),
		strings.Repeat("x", pad),
	)
}

// describe returns the plan as text, for a failure.
func (p *plan) describe() string {
	var out strings.Builder
	for i, t := range p.topics {
		fmt.Fprintf(
			&out,
			"topic t%d: %d partitions, messages m%04d to m%04d, share group: %t\n",
			i,
			t.partitions,
			t.first,
			t.first+t.count-1,
			t.share,
		)
	}
	fmt.Fprintf(&out, "keys: %d, ordered: %t, pieces: %v\n", p.keys, p.ordered, p.factors)
	for _, t := range p.faults {
		fmt.Fprintf(&out, "%v\n", t)
	}
	for _, s := range p.stops {
		fmt.Fprintf(&out, "a stop after %d writes, hard: %t\n", s.after, s.hard)
	}
	for _, o := range p.outages {
		fmt.Fprintf(&out, "Redis is unavailable for %v after %d writes, silent: %t\n", o.length, o.after, o.silent)
	}
	return out.String()
}
