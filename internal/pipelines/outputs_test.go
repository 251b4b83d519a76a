package pipelines

// outputContext describes the outputs above an output.
type outputContext struct {
	depth int
	// batched: an output above merges transactions. The engine's transaction/tracked.go then takes
	// the contexts of refused messages for the contexts of their sources, and acknowledges
	// transactions whose messages failed under a context that has moved, or whose first piece
	// succeeded.
	batched bool
	// tracked: a fallback above passes on only failed messages, which output_fallback.go finds by
	// their contexts.
	tracked bool
	// nested: an output above can't handle two acknowledgements of one transaction, as a broker
	// with fan_out_fail_fast sends them (output_broker_fan_out.go): the writer that sends the
	// second one waits forever.
	nested bool
	// shared: a broker above passes the same messages to one output after the other without a copy
	// (output_broker_fan_out_sequential.go), so that the next output receives the archive that the
	// processors of this one made.
	shared bool
	// hasFallback: a fallback above has another output for refused messages.
	hasFallback bool
	// retriesForever: an output above retries forever, so that a message that fails forever goes
	// nowhere else.
	retriesForever bool
}

// child returns the context of a child.
func (p outputContext) child() outputContext {
	p.depth++
	p.nested = true
	return p
}

// output draws the tree of outputs and its requirement.
func (g *generator) output() any {
	var root object
	switch g.d.intN(5) {
	default:
		root, g.plan.requirement = g.node(outputContext{})
	case 3:
		root, g.plan.requirement = g.node(outputContext{nested: true})
		root = g.outputOf("reject_errored", root)
		g.plan.ordered = false
	case 4:
		root, g.plan.requirement = g.node(outputContext{nested: true})
		root = g.outputOf("switch", object{"cases": list{
			object{"check": "errored()", "output": object{"reject": `${! error() }`}}, object{"output": root},
		}})
		g.plan.use("output", "reject")
		g.plan.ordered = false
	}
	return root
}

// outputOf returns an output of this kind.
func (g *generator) outputOf(name string, config any) object {
	g.plan.use("output", name)
	return object{name: config}
}

// node draws an output.
func (g *generator) node(p outputContext) (object, requirement) {
	var made object
	var required requirement
	kinds := []func(outputContext) (object, requirement){g.testSink}
	if p.depth < 3 {
		kinds = append(
			kinds,
			g.testSink,
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
	made, required = pick(g.d, kinds...)(p)
	if g.d.chance(15) {
		g.plan.use("setting", "output processors")
		moves := !g.batchedInput && !p.batched && !p.tracked && !p.shared && !g.failFast
		withProcessors(made, g.processors(scope{moves: moves}, 2, 60))
	}
	return made, required
}

// testSink draws a sink that fails by schedule.
func (g *generator) testSink(p outputContext) (object, requirement) {
	d := g.d
	name := g.newSink()
	partial := d.chance(60)
	fields := object{
		"run": runMark, "name": name, "partial": partial, "pause": d.intN(1500), "max_in_flight": d.between(1, 8),
	}
	if d.chance(35) {
		// If processors move contexts, transaction/tracked.go loses messages that a sink refuses by
		// index; an error for the whole batch works. In strict mode async_writer.go itself refuses
		// by index.
		fields["batching"] = g.batching(scope{moves: !partial && !p.shared && !g.strict})
	}
	g.sinkNames = append(g.sinkNames, name)
	if p.hasFallback && !p.retriesForever {
		g.fallbackSinks = append(g.fallbackSinks, name)
	}
	return g.outputOf("test_sink", fields), atSink{sink: name}
}

// newSink returns the name of the next sink.
func (g *generator) newSink() string {
	g.sinks++
	return "s" + number(g.sinks)
}

// batching draws a batch policy for an output, in some cases with processors.
func (g *generator) batching(s scope) object {
	policy := g.policy()
	g.plan.use("setting", "output batching")
	if g.d.chance(40) {
		g.plan.use("setting", "batching.processors")
		withProcessors(policy, g.processors(s, 2, 80))
	}
	return policy
}

// copy draws a rafka output.
func (g *generator) copy(p outputContext) (object, requirement) {
	d := g.d
	name := g.newSink()
	required := atSink{sink: name}
	fields := object{
		"url":           urlMark,
		"stream_name":   runMark + "-" + name,
		"key":           `${! @rafka_key.or("") }`,
		"max_in_flight": d.between(1, 8),
	}
	partitions := d.intN(4)
	if partitions > 0 {
		fields["partitions"] = partitions
	}
	if p.hasFallback && !p.retriesForever && d.chance(60) {
		fields["max_message_bytes"] = "2KB" // large messages are refused, and the others of their batch are not
		g.plan.use("failure", "rafka refuses large messages")
	}
	if d.chance(50) {
		policy := g.batching(scope{moves: !p.shared && !g.strict}) // see testSink for strict mode
		if !p.shared && !g.merged && !g.strict && d.chance(40) {
			processors, _ := policy["processors"].(list)
			required.pieces = d.between(2, 3)
			policy["processors"] = append(processors, inPieces(required.pieces)...)
			g.plan.use("setting", "batching.processors into pieces")
		}
		fields["batching"] = policy
	}
	g.plan.outputTopics = append(g.plan.outputTopics, outputTopic{name, partitions})
	g.plan.ordered = false // the content of a topic is not known at each write
	return g.outputOf("rafka", fields), required
}

// fallback draws two or three outputs, each of which accepts what the previous one refused.
func (g *generator) fallback(p outputContext) (object, requirement) {
	tiers, required := list{}, anyOf{}
	for i, n := 0, g.d.between(2, 3); i < n; i++ {
		child := p.child()
		if i < n-1 {
			child.tracked, child.hasFallback, child.retriesForever = true, true, false
		}
		made, one := g.node(child)
		tiers, required = append(tiers, made), append(required, one)
	}
	return g.outputOf("fallback", tiers), required
}

// outputSwitch draws outputs that are selected by the number of a message.
func (g *generator) outputSwitch(p outputContext) (object, requirement) {
	n := g.d.between(2, 3)
	g.plan.ordered = false // the engine writes the cases of a batch concurrently
	cases, required := list{}, []requirement{}
	for i := range n {
		made, one := g.node(p.child())
		branch := object{"output": made}
		if i < n-1 {
			branch["check"] = "this.n % " + number(n) + " == " + number(i)
			if g.merged {
				branch["check"] = "content().length() % " + number(n) + " == " + number(i)
			}
		}
		cases, required = append(cases, branch), append(required, one)
	}
	if g.merged {
		return g.outputOf("switch", object{"cases": cases}), anyOf(required)
	}
	return g.outputOf("switch", object{"cases": cases}), byNumber(required)
}

// retry draws an output that retries a few times.
func (g *generator) retry(p outputContext) (object, requirement) {
	made, required := g.node(p.child())
	return g.outputOf("retry", object{
		"max_retries": g.d.between(1, 3), "output": made,
		"backoff": object{"initial_interval": "1ms", "max_interval": "5ms", "max_elapsed_time": "10s"},
	}), required
}

// dropOn draws an output that drops what a sink refuses, or an error that never occurs.
func (g *generator) dropOn(p outputContext) (object, requirement) {
	if g.strict || g.d.chance(50) { // in strict mode, failed messages would be dropped too
		made, required := g.node(p.child())
		// back_pressure is excluded: output_drop_on.go then takes the late acknowledgement of one
		// transaction for the acknowledgement of the next.
		return g.outputOf("drop_on", object{"error_patterns": list{"no error has this text"}, "output": made}), required
	}
	made, required := g.testSink(p.child())
	fields := made["test_sink"].(object)
	fields["forgive"], fields["partial"] = true, false
	g.plan.use("output", "drop_on: error")
	return g.outputOf("drop_on", object{"error": true, "output": made}), required
}
