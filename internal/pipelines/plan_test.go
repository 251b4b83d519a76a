package pipelines

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// plan is a pipeline, its topics, and what happens to it. All of it follows from the draws.
type plan struct {
	draws []int
	spans []span

	topics []topicPlan
	keys   int // how many keys; 0: no message has one
	config object
	need   need
	// drops say which messages the pipeline may drop on purpose.
	drops []func(n int) bool
	// factors are the numbers of pieces into which messages are split, one after the other.
	factors  []int
	troubles []trouble
	stops    []stop
	outages  []outage
	copies   []copied // the topics that outputs write to

	// ordered plans promise that messages of one key are written in order.
	ordered bool
	// passes says that rejected messages are passed over: auto_replay_nacks is false.
	passes bool
	// doomed plans have a message that fails for ever and no output that takes it: they are ended.
	doomed bool
	// members is how many inputs read the topics at once.
	members int
	used    map[string][]string // components, by their group in the tally
}

// topicPlan is a topic with the messages from first on.
type topicPlan struct{ partitions, first, count int }

// stop ends a stream once the sinks have taken so many writes, and the next stream of the run goes
// on.
type stop struct {
	after int
	hard  bool // what is in the pipeline is abandoned
}

// outage takes Redis away from the pipeline for a while, once the sinks have taken so many writes.
type outage struct {
	after  int
	silent bool // connections stay open and nothing passes; else they are reset
	length time.Duration
}

// copied is a topic that the sink of this name writes to.
type copied struct {
	sink       string
	partitions int
}

// Marks in configurations stand for what differs from run to run: its name, the server, and the
// time after which an input that has received nothing ends.
const (
	runMark  = "$RUN"
	urlMark  = "$URL"
	idleMark = "$IDLE"
)

// newPlan generates a plan.
func newPlan(d *draw) *plan {
	p := &plan{used: map[string][]string{}, members: 1}
	p.keys = d.below(6)
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
	p.ordered = p.ordered && !g.reorders && !g.strict && !g.fails && !p.passes
	g.troubles()
	g.stops()
	g.outages()
	p.draws, p.spans = d.taken, d.spans
	return p
}

// yaml is the configuration for a run on a server.
func (p *plan) yaml(run, url string, idle time.Duration) string {
	return strings.NewReplacer(runMark, run, urlMark, url, idleMark, idle.String()).Replace(yamlOf(p.config))
}

// use notes that a component takes part.
func (p *plan) use(group, component string) {
	if !slices.Contains(p.used[group], component) {
		p.used[group] = append(p.used[group], component)
	}
}

// mayDrop reports whether the pipeline may drop a message on purpose.
func (p *plan) mayDrop(n int) bool {
	return slices.ContainsFunc(p.drops, func(drops func(int) bool) bool { return drops(n) })
}

// count is how many messages there are.
func (p *plan) count() int {
	last := p.topics[len(p.topics)-1]
	return last.first + last.count
}

// Every noiseEvery-th message is noise, of which dedupe leaves one, and every largeEvery-th is
// large.
const (
	noiseEvery = 9
	largeEvery = 11
	padding    = 3000
)

func isNoise(n int) bool { return n%noiseEvery == 4 }
func isLarge(n int) bool { return n%largeEvery == 6 }

// key is the key of a message, if it has one.
func (p *plan) key(n int) string {
	if p.keys == 0 || n%5 == 3 {
		return ""
	}
	return fmt.Sprintf("k%d", n%p.keys)
}

// body is what the message says: one line of JSON that holds its token.
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

// describe is the plan in words, for a failure.
func (p *plan) describe() string {
	var out strings.Builder
	for i, t := range p.topics {
		fmt.Fprintf(
			&out,
			"topic t%d: %d partitions, messages m%04d to m%04d\n",
			i,
			t.partitions,
			t.first,
			t.first+t.count-1,
		)
	}
	fmt.Fprintf(&out, "keys: %d, ordered: %t, pieces: %v\n", p.keys, p.ordered, p.factors)
	for _, t := range p.troubles {
		fmt.Fprintf(&out, "%v\n", t)
	}
	for _, s := range p.stops {
		fmt.Fprintf(&out, "a stop after %d writes, hard: %t\n", s.after, s.hard)
	}
	for _, o := range p.outages {
		fmt.Fprintf(&out, "Redis is away for %v after %d writes, silent: %t\n", o.length, o.after, o.silent)
	}
	return out.String()
}
