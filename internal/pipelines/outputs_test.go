package pipelines

// place is where an output stands in the tree.
type place struct {
	depth int
	// batched: an output above merges transactions. The engine's transaction/tracked.go then takes
	// the contexts of what a sink refused for those of its sources, and acknowledges transactions
	// whose messages failed under a context that has moved, or whose first piece succeeded.
	batched bool
	// tracked: a fallback above passes on what failed alone, and output_fallback.go finds that by
	// its context.
	tracked bool
	// nested: something above can't take two answers for a transaction, as broker fan_out_fail_fast
	// gives them (output_broker_fan_out.go): the writer that gives the second waits for ever.
	nested bool
	// shared: a broker above gives the same messages to one output after the other without a copy
	// (output_broker_fan_out_sequential.go), so that the next output gets the archive that the
	// processors of this one made.
	shared bool
	// taken: a fallback above has another output for what is refused.
	taken bool
	// endless: something above retries for ever, so that what fails for ever gets nowhere else.
	endless bool
}

// below is the place of a child.
func (p place) below() place {
	p.depth++
	p.nested = true
	return p
}

// output draws the tree of outputs and what it demands.
func (g *generator) output() any {
	var root object
	switch g.d.below(5) {
	default:
		root, g.plan.need = g.node(place{})
	case 3:
		root, g.plan.need = g.node(place{nested: true})
		root = g.output1("reject_errored", root)
		g.plan.ordered = false
	case 4:
		root, g.plan.need = g.node(place{nested: true})
		root = g.output1("switch", object{"cases": list{
			object{"check": "errored()", "output": object{"reject": `${! error() }`}}, object{"output": root},
		}})
		g.plan.use("output", "reject")
		g.plan.ordered = false
	}
	return root
}

// output1 is an output of this kind.
func (g *generator) output1(name string, config any) object {
	g.plan.use("output", name)
	return object{name: config}
}

// node draws an output.
func (g *generator) node(p place) (object, need) {
	var made object
	var demands need
	kinds := []func(place) (object, need){g.probe}
	if p.depth < 3 {
		kinds = append(
			kinds,
			g.probe,
			g.copy,
			g.copy,
			g.fallback,
			g.fallback,
			g.outputSwitch,
			g.retry,
			g.broker,
			g.broker,
			g.dropOn,
		)
	}
	made, demands = pick(g.d, kinds...)(p)
	if g.d.chance(15) {
		g.plan.use("setting", "output processors")
		moves := !g.batchedInput && !p.batched && !p.tracked && !p.shared && !g.failFast
		withProcessors(made, g.processors(scope{moves: moves}, 2, 60))
	}
	return made, demands
}

// probe draws a sink that fails by schedule.
func (g *generator) probe(p place) (object, need) {
	d := g.d
	name := g.newSink()
	partial := d.chance(60)
	fields := object{
		"run": runMark, "name": name, "partial": partial, "pause": d.below(1500), "max_in_flight": d.between(1, 8),
	}
	if d.chance(35) {
		// What a sink refuses by index behind processors that move contexts is lost in
		// transaction/tracked.go; an error for the whole batch is not. In strict mode
		// async_writer.go itself refuses by index.
		fields["batching"] = g.batching(scope{moves: !partial && !p.shared && !g.strict})
	}
	g.names = append(g.names, name)
	if p.taken && !p.endless {
		g.taken = append(g.taken, name)
	}
	return g.output1("probe", fields), at{sink: name}
}

// newSink is the name of the next sink.
func (g *generator) newSink() string {
	g.sinks++
	return "s" + number(g.sinks)
}

// batching draws a batch policy of an output, maybe with processors.
func (g *generator) batching(s scope) object {
	policy := g.policy()
	g.plan.use("setting", "output batching")
	if g.d.chance(40) {
		g.plan.use("setting", "batching.processors")
		withProcessors(policy, g.processors(s, 2, 80))
	}
	return policy
}

// copy draws an output of rafka.
func (g *generator) copy(p place) (object, need) {
	d := g.d
	name := g.newSink()
	demands := at{sink: name}
	fields := object{
		"url":           urlMark,
		"stream_name":   runMark + "-" + name,
		"key":           `${! @rafka_key.or("") }`,
		"max_in_flight": d.between(1, 8),
	}
	partitions := d.below(4)
	if partitions > 0 {
		fields["partitions"] = partitions
	}
	if p.taken && !p.endless && d.chance(60) {
		fields["max_message_bytes"] = "2KB" // large messages are refused, and the others of their batch are not
		g.plan.use("failure", "rafka refuses large messages")
	}
	if d.chance(50) {
		policy := g.batching(scope{moves: !p.shared && !g.strict}) // see probe for strict mode
		if !p.shared && !g.merged && !g.strict && d.chance(40) {
			processors, _ := policy["processors"].(list)
			demands.pieces = d.between(2, 3)
			policy["processors"] = append(processors, inPieces(demands.pieces)...)
			g.plan.use("setting", "batching.processors into pieces")
		}
		fields["batching"] = policy
	}
	g.plan.copies = append(g.plan.copies, copied{name, partitions})
	g.plan.ordered = false // what a topic holds is not known at each write
	return g.output1("rafka", fields), demands
}

// fallback draws two or three outputs, of which each takes what the one before refused.
func (g *generator) fallback(p place) (object, need) {
	tiers, demands := list{}, either{}
	for i, n := 0, g.d.between(2, 3); i < n; i++ {
		child := p.below()
		if i < n-1 {
			child.tracked, child.taken, child.endless = true, true, false
		}
		made, one := g.node(child)
		tiers, demands = append(tiers, made), append(demands, one)
	}
	return g.output1("fallback", tiers), demands
}

// outputSwitch draws outputs by the number of a message.
func (g *generator) outputSwitch(p place) (object, need) {
	n := g.d.between(2, 3)
	g.plan.ordered = false // the engine writes the cases of a batch side by side
	cases, demands := list{}, []need{}
	for i := range n {
		made, one := g.node(p.below())
		branch := object{"output": made}
		if i < n-1 {
			branch["check"] = "this.n % " + number(n) + " == " + number(i)
			if g.merged {
				branch["check"] = "content().length() % " + number(n) + " == " + number(i)
			}
		}
		cases, demands = append(cases, branch), append(demands, one)
	}
	if g.merged {
		return g.output1("switch", object{"cases": cases}), either(demands)
	}
	return g.output1("switch", object{"cases": cases}), byNumber(demands)
}

// retry draws an output that is tried again a few times.
func (g *generator) retry(p place) (object, need) {
	made, demands := g.node(p.below())
	return g.output1("retry", object{
		"max_retries": g.d.between(1, 3), "output": made,
		"backoff": object{"initial_interval": "1ms", "max_interval": "5ms", "max_elapsed_time": "10s"},
	}), demands
}

// dropOn draws an output that drops what a sink refuses, or something that never comes up.
func (g *generator) dropOn(p place) (object, need) {
	if g.strict || g.d.chance(50) { // in strict mode messages that failed would be dropped too
		made, demands := g.node(p.below())
		// Not drawn is back_pressure: output_drop_on.go then takes the late answer for one
		// transaction for that of the next.
		return g.output1("drop_on", object{"error_patterns": list{"this never comes up"}, "output": made}), demands
	}
	made, demands := g.probe(p.below())
	fields := made["probe"].(object)
	fields["forgive"], fields["partial"] = true, false
	g.plan.use("output", "drop_on: error")
	return g.output1("drop_on", object{"error": true, "output": made}), demands
}
